// Pre-shared keys on both sides, known and by function, with certificates beside them and without.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type ConnectOptions,
  createServer,
  type OnPsk,
  type OpenSslError,
  type PresharedKey,
  type ServerOptions,
  Ssl,
  SslContext,
} from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { makePair, noTicket, stillCarries, versions } from '../../support/memory-pair.ts';
import { connectTo, type Running, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const key = Buffer.alloc(32, 7);
const other = Buffer.alloc(32, 8);
const longer = Buffer.alloc(48, 9);

interface Met {
  readonly psk: boolean;
  readonly identity: string | null;
  readonly authorized: boolean;
  readonly cipher: string | undefined;
  readonly session: unknown;
  /** The same of the server. */
  readonly there: { readonly psk: boolean; readonly identity: string | null; readonly authorized: boolean };
}

/** A server without a certificate, if it has none. */
const keysAlone: ServerOptions = { cert: undefined, key: undefined };

async function met(running: Running, options: Partial<ConnectOptions>): Promise<Met> {
  const arrival = running.next();
  const client = await connectTo(running.port, options);
  const server = await arrival;
  server.write('x');
  await within(once(client, 'data'), 'a byte');
  const { ssl } = client;
  return {
    psk: ssl.psk,
    identity: ssl.pskIdentity,
    authorized: client.authorized,
    cipher: ssl.cipher?.name,
    session: ssl.session,
    there: { psk: server.ssl.psk, identity: server.ssl.pskIdentity, authorized: server.authorized },
  };
}

const used = (identity: string) => ({ psk: true, identity, authorized: true });

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

describe('pre-shared keys', () => {
  for (const [version, both] of versions) {
    for (const [kind, certificate] of [
      ['beside a certificate', {}],
      ['alone', keysAlone],
    ] as const) {
      it(`${version}, ${kind}: known on both sides`, async () => {
        const psk: PresharedKey[] = [
          { identity: 'one', key },
          { identity: 'two', key: other },
        ];
        const running = await startServer({ ...both, ...certificate, psk });
        const { cipher: _, session, there, ...here } = await met(running, { psk: psk[1] });
        assert.deepEqual(here, used('two'));
        assert.deepEqual(there, used('two'));
        assert.equal(session, null);
      });

      it(`${version}, ${kind}: by functions, at once and later`, async () => {
        const asked: Array<string | null> = [];
        const running = await startServer({
          ...both,
          ...certificate,
          onPsk: async ({ identity, identityBytes, ssl }) => {
            asked.push(identity);
            assert.deepEqual(identityBytes, Buffer.from(identity ?? ''));
            assert.equal(ssl.side, 'server');
            await sleep(3);
            return identity === 'asked' ? key : null;
          },
        });
        const now = await met(running, { onPsk: () => ({ identity: 'asked', key }) });
        assert.deepEqual([now.identity, now.there], ['asked', used('asked')]);
        const later = await met(running, { onPsk: () => sleep(3).then(() => ({ identity: 'asked', key })) });
        assert.deepEqual([later.identity, later.there], ['asked', used('asked')]);
        assert.deepEqual(asked, ['asked', 'asked']);
      });
    }

    it(`${version}: what is known is not asked about`, async () => {
      const onPsk: OnPsk = () => assert.fail('asked');
      const running = await startServer({ ...both, psk: { identity: 'one', key }, onPsk });
      assert.equal((await met(running, { psk: { identity: 'one', key } })).identity, 'one');
    });

    it(`${version}: a client without a key meets the certificate`, async () => {
      const running = await startServer({ ...both, psk: { identity: 'one', key } });
      const { psk, identity, authorized, there } = await met(running, {});
      assert.deepEqual([psk, identity, authorized, there.psk], [false, null, true, false]);
    });

    it(`${version}: a wrong key ends the handshake`, async () => {
      const running = await startServer({ ...both, psk: { identity: 'one', key } });
      const errors = heard(running);
      await rejected(connectTo(running.port, { psk: { identity: 'one', key: other } }), /^ERR_SSL_/);
      await until(() => errors.length === 1, 'the server to hear of it');
    });

    it(`${version}: what a function throws ends its own handshake alone`, async () => {
      const boom = new Error('boom');
      const onPsk: OnPsk = ({ identity }) => {
        if (identity === 'bad') throw boom;
        return key;
      };
      const running = await startServer({ ...both, onPsk });
      const errors = heard(running);
      await rejected(connectTo(running.port, { psk: { identity: 'bad', key } }), /^ERR_SSL_/);
      await until(() => errors.length === 1, 'the server to hear of it');
      assert.deepEqual([errors[0]?.code, errors[0]?.cause], ['ERR_TLS_PSK_CALLBACK', boom]);
      assert.equal((await met(running, { psk: { identity: 'good', key } })).identity, 'good');
    });

    for (const [name, onPsk] of [
      [
        'throws',
        () => {
          throw new Error('no');
        },
      ],
      ['rejects', () => Promise.reject(new Error('no'))],
      ['gives a number', () => 7],
      ['gives no identity', () => ({ key })],
      ['gives an empty key', () => ({ identity: 'one', key: Buffer.alloc(0) })],
      ['gives text for a key', () => ({ identity: 'one', key: 'secret' })],
    ] as const) {
      it(`${version}: a client's function that ${name} fails its connection, and its key is in no message`, async () => {
        const running = await startServer({ ...both, psk: { identity: 'one', key } });
        const error = await rejected(
          connectTo(running.port, { onPsk: onPsk as unknown as OnPsk }),
          'ERR_TLS_PSK_CALLBACK',
        );
        assert.ok((error as Error).cause instanceof Error);
        assert.doesNotMatch(String((error as Error).cause), /secret/);
      });
    }

    it(`${version}: a function that never answers is bounded by the handshake's timeout`, async () => {
      const never: OnPsk = () => new Promise(() => {});
      const slow = await startServer({ ...both, onPsk: never, handshakeTimeout: 50 });
      const errors = heard(slow);
      await rejected(connectTo(slow.port, { psk: { identity: 'one', key } }), /^ERR_/);
      await until(() => errors.length === 1, 'the server to give up');
      assert.equal(errors[0]?.code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
      const quick = await startServer({ ...both, psk: { identity: 'one', key } });
      await rejected(connectTo(quick.port, { onPsk: never, handshakeTimeout: 50 }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
    });

    it(`${version}: a connection that is closed in its function`, async () => {
      const running = await startServer({
        ...both,
        onPsk: ({ ssl }) => {
          ssl.close();
          return key;
        },
      });
      await rejected(connectTo(running.port, { psk: { identity: 'one', key } }), /^ERR_/);
      assert.equal(running.accepted.length, 0);
    });

    it(`${version}: pskRequired refuses a certificate`, async () => {
      const running = await startServer({ ...both });
      await rejected(
        connectTo(running.port, { psk: { identity: 'one', key }, pskRequired: true }),
        'ERR_TLS_PSK_REQUIRED',
      );
      const strict = await startServer({ ...both, psk: { identity: 'one', key }, pskRequired: true });
      const errors = heard(strict);
      await connectTo(strict.port).then(
        socket => socket.resume(),
        () => {},
      );
      await until(() => errors.length === 1, 'the server to refuse');
      assert.equal(errors[0]?.code, 'ERR_TLS_PSK_REQUIRED');
      assert.equal((await met(strict, { psk: { identity: 'one', key }, pskRequired: true })).psk, true);
    });

    it(`${version}: null takes the key of the context away from one connection`, async () => {
      const running = await startServer({ ...both, psk: { identity: 'one', key } });
      const ca = certificates().ca.cert;
      const secureContext = new SslContext({ ...both, ca, psk: { identity: 'one', key } });
      assert.equal((await met(running, { secureContext })).psk, true);
      assert.equal((await met(running, { secureContext, psk: null })).psk, false);
    });

    it(`${version}: the longest identity and key, and none of it is a session that is reused`, async () => {
      const psk: PresharedKey = { identity: 'x'.repeat(256), key: Buffer.alloc(version === 'TLSv1.3' ? 512 : 256, 1) };
      const running = await startServer({ ...both, ...keysAlone, psk });
      const arrival = running.next();
      const client = await connectTo(running.port, { psk });
      const server = await arrival;
      assert.deepEqual([client.ssl.pskIdentity, server.ssl.pskIdentity], [psk.identity, psk.identity]);
      assert.deepEqual([client.ssl.sessionReused, server.ssl.sessionReused], [false, false]);
    });

    for (const [kept, options] of [
      ['by ticket', {}],
      ['by id', noTicket],
    ] as const) {
      it(`${version}, ${kept}: a key that is withdrawn is not resumed`, async function () {
        needsProgram(this, 'openssl');
        const keys = new Map([['one', key]]);
        const running = await startServer(
          { ...both, ...options, onPsk: ({ identity }) => keys.get(identity ?? ''), pskRequired: true },
          socket => socket.end(`${socket.ssl.pskIdentity} on ${socket.ssl.version}\n`),
        );
        const errors = heard(running);
        const file = join(certificates().folder, `psk-${version}-${kept.replace(' ', '-')}`);
        const visit = async (...more: string[]) => {
          const client = new Child('openssl', [
            ...['s_client', '-connect', `127.0.0.1:${running.port}`, '-ign_eof'],
            ...['-psk_identity', 'one', '-psk', key.toString('hex'), ...more],
          ]);
          await client.exited;
          return client.output;
        };
        assert.match(await visit('-sess_out', file), /one on TLSv1/);
        keys.clear();
        const output = await visit(...(existsSync(file) ? ['-sess_in', file] : []));
        assert.doesNotMatch(output, /one on TLSv1/);
        await until(() => errors.length > 0, 'the refusal');
      });
    }

    for (const transport of ['queues', 'pair'] as const) {
      it(`${version}: over BIOs (${transport}), by the options of one Ssl`, async () => {
        const pair = makePair({
          both,
          transport,
          clientSsl: { onPsk: () => sleep(1).then(() => ({ identity: 'one', key })) },
          serverSsl: { onPsk: () => sleep(1).then(() => key) },
        });
        await pair.handshake();
        assert.deepEqual([pair.client.pskIdentity, pair.server.pskIdentity], ['one', 'one']);
        await stillCarries(pair);
      });
    }

    it(`${version}: openssl s_client`, async function () {
      needsProgram(this, 'openssl');
      const running = await startServer({ ...both, psk: { identity: 'one', key } }, socket => {
        socket.end(`${socket.ssl.pskIdentity} on ${socket.ssl.version}\n`);
      });
      const client = new Child('openssl', [
        ...['s_client', '-connect', `127.0.0.1:${running.port}`, '-ign_eof'],
        ...['-psk_identity', 'one', '-psk', key.toString('hex')],
      ]);
      await client.exited;
      assert.match(client.output, new RegExp(`one on ${version.replace('.', '\\.')}`));
    });

    it(`${version}: openssl s_server`, async function () {
      needsProgram(this, 'openssl');
      const server = new Child('openssl', [
        ...['s_server', '-accept', '127.0.0.1:0', '-nocert', version === 'TLSv1.3' ? '-tls1_3' : '-tls1_2'],
        ...['-psk_identity', 'one', '-psk', key.toString('hex'), '-psk_hint', 'take one'],
      ]);
      const [, port] = await server.printed(/ACCEPT \S+:(\d+)/);
      let hint: string | null = null;
      const options: Partial<ConnectOptions> = {
        onPsk: request => {
          hint = request.hint;
          return { identity: 'one', key };
        },
      };
      const socket = await connectTo(Number(port), options);
      assert.deepEqual([socket.ssl.psk, socket.ssl.pskIdentity, socket.authorized], [true, 'one', true]);
      assert.equal(hint, version === 'TLSv1.3' ? null : 'take one');
      socket.destroy();
      server.signal('SIGTERM');
      await server.exited;
    });

    it(`${version}: gnutls-cli`, async function () {
      needsProgram(this, 'gnutls-cli');
      const running = await startServer({ ...both, ...keysAlone, psk: { identity: 'one', key } }, socket => {
        socket.end(`${socket.ssl.pskIdentity} on ${socket.ssl.version}\n`);
      });
      // gnutls-cli 3.7 crashes when it prints what it agreed on by ECDHE-PSK, which is ours alone with TLS 1.2.
      const [protocol, exchange] = version === 'TLSv1.3' ? ['1.3', '+ECDHE-PSK:+DHE-PSK'] : ['1.2', '+PSK'];
      const client = new Child('gnutls-cli', [
        ...['--pskusername', 'one', '--pskkey', key.toString('hex'), '-p', String(running.port)],
        ...['--priority', `NORMAL:-VERS-ALL:+VERS-TLS${protocol}:-KX-ALL:${exchange}`, '127.0.0.1'],
      ]);
      await client.exited;
      assert.match(client.output, new RegExp(`one on ${version.replace('.', '\\.')}`), client.output);
    });
  }

  it('TLS 1.3: the cipher follows the hash of the key, on whichever side prefers another', async () => {
    const psk: PresharedKey[] = [
      { identity: 'short', key },
      { identity: 'long', key: longer, hash: 'sha384' },
    ];
    const running = await startServer({ maxVersion: 'TLSv1.3', minVersion: 'TLSv1.3', psk });
    assert.match((await met(running, { psk: psk[0] })).cipher ?? '', /SHA256$/);
    assert.match((await met(running, { psk: psk[1] })).cipher ?? '', /SHA384$/);
  });

  it('TLS 1.3: the same without a certificate, and behind a HelloRetryRequest', async () => {
    const psk: PresharedKey = { identity: 'long', key: longer, hash: 'sha384' };
    for (const options of [{ psk }, { onPsk: () => ({ key: longer, hash: 'sha384' as const }) }]) {
      const running = await startServer({ ...keysAlone, minVersion: 'TLSv1.3', ecdhCurve: 'P-384', ...options });
      for (const ecdhCurve of ['P-384', 'X25519:P-384']) {
        const { cipher, identity } = await met(running, { psk, ecdhCurve });
        assert.match(cipher ?? '', /SHA384$/);
        assert.equal(identity, 'long');
      }
    }
  });

  it('TLS 1.2: a server with a function renegotiates, with a key and with certificates', async () => {
    const { ca, client: own } = certificates();
    const running = await startServer({
      maxVersion: 'TLSv1.2',
      clientRenegotiation: true,
      ca: ca.cert,
      onPsk: ({ identity }) => sleep(1).then(() => (identity === 'one' ? key : null)),
    });
    for (const options of [{}, { psk: { identity: 'one', key } }]) {
      const arrival = running.next();
      const client = await connectTo(running.port, { maxVersion: 'TLSv1.2', cert: own.cert, key: own.key, ...options });
      const server = await arrival;
      client.resume();
      server.resume();
      await within(client.renegotiate(), 'a renegotiation by the client');
      await within(server.renegotiate(), 'one by the server');
      assert.equal(server.ssl.psk, 'psk' in options);
      if (!('psk' in options)) {
        await within(server.requestClientCertificate(), 'the certificate');
        assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
      }
      client.destroy();
    }
  });

  it('TLS 1.3: of several identities the first that has a key counts, and tickets of our own are none', async () => {
    const asked: Array<string | null> = [];
    const onPsk: OnPsk = ({ identity }) => {
      asked.push(identity);
      return null;
    };
    const running = await startServer({ minVersion: 'TLSv1.3', onPsk });
    const arrival = running.next();
    const first = await connectTo(running.port);
    (await arrival).write('x');
    await once(first, 'data');
    const session = first.ssl.session ?? undefined;
    const second = await connectTo(running.port, { session });
    assert.equal(second.ssl.sessionReused, true);
    assert.deepEqual(asked, []);
  });

  it('TLS 1.3: asked once, though there is a HelloRetryRequest', async () => {
    let asked = 0;
    const onPsk: OnPsk = () => {
      asked++;
      return key;
    };
    const running = await startServer({ minVersion: 'TLSv1.3', ecdhCurve: 'P-384', onPsk });
    const { psk } = await met(running, { psk: { identity: 'one', key }, ecdhCurve: 'X25519:P-384' });
    assert.equal(psk, true);
    assert.equal(asked, 1);
  });

  it('TLS 1.2: the hint comes with a second question', async () => {
    const hints: Array<string | null> = [];
    const running = await startServer({ maxVersion: 'TLSv1.2', psk: { identity: 'two', key }, pskIdentityHint: 'two' });
    const { identity } = await met(running, {
      onPsk: ({ hint }) => {
        hints.push(hint);
        return { identity: hint ?? 'unknown', key };
      },
    });
    assert.equal(identity, 'two');
    assert.deepEqual(hints, [null, 'two']);
  });

  it('what is no key is refused where it is given, and is in no message', () => {
    const bad: ReadonlyArray<readonly [unknown, RegExp | string]> = [
      [7, 'ERR_INVALID_ARG_TYPE'],
      [{ key }, 'ERR_INVALID_ARG_TYPE'],
      [{ identity: '', key }, 'ERR_INVALID_ARG_VALUE'],
      [{ identity: 'x'.repeat(257), key }, 'ERR_INVALID_ARG_VALUE'],
      [{ identity: 'a\0b', key }, 'ERR_INVALID_ARG_VALUE'],
      [{ identity: 'one', key: 'a secret' }, /^ERR_INVALID_ARG_(TYPE|VALUE)$/],
      [{ identity: 'one', key: Buffer.alloc(0) }, 'ERR_INVALID_ARG_VALUE'],
      [{ identity: 'one', key: Buffer.alloc(513) }, 'ERR_INVALID_ARG_VALUE'],
      [{ identity: 'one', key, hash: 'md5' }, 'ERR_INVALID_ARG_VALUE'],
      [[{ identity: 'one', key }, null], 'ERR_INVALID_ARG_TYPE'],
    ];
    for (const [psk, code] of bad) {
      for (const make of [
        () => new SslContext({ psk } as never),
        () => createServer({ psk } as never),
        () => new Ssl(new SslContext(), { side: 'client', psk } as never),
      ]) {
        const error = thrown(make, code);
        assert.doesNotMatch(String(error), /a secret/);
      }
    }
    thrown(() => createServer({ onPsk: 7 } as never), 'ERR_INVALID_ARG_TYPE');
    thrown(() => createServer({ pskRequired: 1 } as never), 'ERR_INVALID_ARG_TYPE');
  });
});
