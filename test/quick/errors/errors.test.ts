import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Bio, OpenSslError, Ssl, SslContext } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { type CodedError, rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, versions } from '../../support/memory-pair.ts';
import { turns, type Watched, watch } from '../../support/wait.ts';

const record = (type: number, length: number, body: Uint8Array) =>
  Buffer.concat([Buffer.from([type, 3, 3, length >> 8, length & 0xff]), body]);

// Not a record, whatever follows: by chance it could be the beginning of a long one, of which the rest would be waited for.
const randomRecord = () => Buffer.concat([Buffer.from([0xff, 0xfe]), randomBytes(200)]);

describe('errors', () => {
  describe('their shape', () => {
    it('of a failed connection', async () => {
      const pair = makePair();
      const accepting = watch(pair.server.accept());
      await turns(2);
      pair.toServer.to.write(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
      const error = (await rejected(accepting.promise, 'ERR_SSL_HTTP_REQUEST')) as unknown as OpenSslError;
      assert.ok(error instanceof OpenSslError);
      assert.equal(error.name, 'OpenSslError');
      assert.equal(error.library, 'SSL routines');
      assert.match(error.reason, /http request/i);
      assert.equal(typeof error.function, 'string');
      assert.ok(Array.isArray(error.errors));
      assert.ok(error.errors.length >= 1);
      for (const entry of error.errors) {
        assert.equal(typeof entry.code, 'string');
        assert.equal(typeof entry.library, 'string');
        assert.equal(typeof entry.reason, 'string');
        assert.equal(typeof entry.function, 'string');
      }
      assert.match(String(error.stack), /ERR_SSL_HTTP_REQUEST|http request/i);
    });

    it('of a context, with the whole queue', () => {
      const error = thrown(
        () => new SslContext({ cert: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n' }),
        /^ERR_OSSL_/,
      );
      assert.ok(error instanceof OpenSslError);
      assert.ok(error.errors.length > 1, 'root cause and what followed from it');
    });

    it('an earlier failure leaves nothing behind for a later one', async () => {
      thrown(() => new SslContext({ cert: 'no PEM' }), /^ERR_/);
      const pair = makePair();
      const accepting = watch(pair.server.accept());
      pair.toServer.to.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      const error = (await rejected(accepting.promise, 'ERR_SSL_HTTP_REQUEST')) as unknown as OpenSslError;
      assert.ok(error.errors.every(({ library }) => library === 'SSL routines'));
    });
  });

  describe('what is no handshake, on a server', () => {
    const inputs: ReadonlyArray<readonly [what: string, bytes: () => Buffer, code: RegExp]> = [
      ['plain HTTP', () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), /^ERR_SSL_HTTP_REQUEST$/],
      ['a proxy request', () => Buffer.from('CONNECT localhost:443 HTTP/1.1\r\n\r\n'), /^ERR_SSL_HTTPS_PROXY_REQUEST$/],
      ['random bytes', randomRecord, /^ERR_SSL_/],
      ['zeros', () => Buffer.alloc(200), /^ERR_SSL_/],
      ['an SSH greeting', () => Buffer.from('SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n'), /^ERR_SSL_/],
      ['an oversized record', () => record(22, 0xffff, pattern(0x5000)), /^ERR_SSL_/],
      [
        'an empty record',
        () => Buffer.concat(Array.from({ length: 100 }, () => record(22, 0, Buffer.alloc(0)))),
        /^ERR_SSL_/,
      ],
      ['application data', () => record(23, 100, pattern(100)), /^ERR_SSL_/],
      ['an alert', () => record(21, 2, Buffer.from([2, 40])), /^ERR_SSL_/],
      [
        'a ClientHello full of nothing',
        () => record(22, 100, Buffer.concat([Buffer.from([1, 0, 0, 96]), Buffer.alloc(96)])),
        /^ERR_SSL_/,
      ],
      [
        'a ServerHello',
        () => record(22, 44, Buffer.concat([Buffer.from([2, 0, 0, 40]), Buffer.alloc(40)])),
        /^ERR_SSL_/,
      ],
    ];
    for (const [what, bytes, code] of inputs) {
      it(`${what}: a named error`, async () => {
        const pair = makePair();
        const accepting = watch(pair.server.accept());
        const [reading, writing] = [watch(pair.server.read()), watch(pair.server.write(Buffer.from('x')))];
        await turns(2);
        pair.toServer.to.write(bytes());
        const error = await rejected(pair.during(accepting.promise), code);
        // Everything that was pending ends with the same error, and what comes later too.
        const others: Array<Promise<unknown>> = [reading.promise, writing.promise, pair.server.read()];
        for (const each of others) {
          assert.equal((await rejected(each, code)).code, error.code);
        }
      });
    }
  });

  describe('what is no handshake, on a client', () => {
    const inputs: ReadonlyArray<readonly [what: string, bytes: () => Buffer, code: RegExp]> = [
      ['an HTTP answer', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /^ERR_SSL_WRONG_VERSION_NUMBER$/],
      ['a mail greeting', () => Buffer.from('220 mail.example ESMTP\r\n'), /^ERR_SSL_WRONG_VERSION_NUMBER$/],
      ['random bytes', randomRecord, /^ERR_SSL_/],
      ['an oversized record', () => record(22, 0xffff, pattern(0x5000)), /^ERR_SSL_/],
    ];
    for (const [what, bytes, code] of inputs) {
      it(`${what}: a named error`, async () => {
        const pair = makePair();
        const connecting = watch(pair.client.connect());
        await turns(2);
        pair.toClient.to.write(bytes());
        await rejected(pair.during(connecting.promise), code);
      });
    }

    it('an alert: told with level, name and direction', async () => {
      const pair = makePair();
      const connecting = watch(pair.client.connect());
      await turns(2);
      pair.toClient.to.write(record(21, 2, Buffer.from([2, 40])));
      const error = await rejected(connecting.promise, /^ERR_SSL_(SSLV3|TLS)_ALERT_HANDSHAKE_FAILURE$/);
      assert.deepEqual(error.alert, {
        level: 'fatal',
        description: 40,
        name: 'handshake_failure',
        direction: 'received',
      });
    });
  });

  for (const [version, both] of versions) {
    describe(`after the handshake, ${version}`, () => {
      it('one bit changed: the record is refused, all pending ends with that error, the peer is told', async () => {
        const pair = await connectedPair({ both });
        const pending: Array<Watched<unknown>> = [
          watch(pair.server.read()),
          watch(pair.server.read()),
          watch(pair.server.shutdown({ wait: true })),
        ];
        await pair.pump();
        pair.toServer.tamper = data => {
          const altered = Buffer.from(data);
          altered[altered.length - 1] = (altered[altered.length - 1] ?? 0) ^ 1;
          return altered;
        };
        await pair.client.write(Buffer.from('to be altered'));
        const errors: CodedError[] = [];
        for (const { promise } of pending) {
          errors.push(await rejected(pair.during(promise), 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC'));
        }
        // Our close_notify was out already: no alert follows it, and it is none that explains the failure.
        assert.equal(errors[0]?.alert, undefined);
        const atClient = watch(pair.client.read());
        await pair.pump();
        assert.notEqual(atClient.outcome.status, 'pending');
      });

      it('the peer that is refused learns why', async () => {
        const pair = await connectedPair({ both });
        const [atServer, atClient] = [watch(pair.server.read()), watch(pair.client.read())];
        pair.toServer.tamper = data => Buffer.concat([data.subarray(0, -1), Buffer.from([(data.at(-1) ?? 0) ^ 1])]);
        await pair.client.write(Buffer.from('to be altered'));
        await rejected(pair.during(atServer.promise), 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC');
        const error = await rejected(pair.during(atClient.promise), /^ERR_SSL_(SSLV3|TLS)_ALERT_BAD_RECORD_MAC$/);
        assert.equal((error.alert as { direction?: string }).direction, 'received');
      });

      for (const [what, bytes] of [
        ['random bytes', randomRecord],
        ['plain HTTP', () => Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')],
        ['an oversized record', () => record(23, 0xffff, pattern(0x5000))],
        ['a record of an unknown type', () => record(99, 50, pattern(50))],
        ['a handshake record in clear', () => record(22, 4, Buffer.from([0, 0, 0, 0]))],
        ['an alert in clear', () => record(21, 2, Buffer.from([1, 0]))],
      ] as const) {
        for (const side of ['client', 'server'] as const) {
          it(`${what}, to the ${side}: a named error`, async () => {
            const pair = await connectedPair({ both });
            const reading = watch(pair[side].read());
            await turns(2);
            pair[side === 'client' ? 'toClient' : 'toServer'].to.write(bytes());
            const { code } = await rejected(pair.during(reading.promise), /^ERR_(SSL|OSSL)_/);
            await rejected(pair[side].write(Buffer.from('x')), code);
          });
        }
      }
    });

    it(`${version}: the peer vanishes after each number of handshake bytes: UNEXPECTED_EOF, or the handshake was over`, async () => {
      for (const to of ['toClient', 'toServer'] as const) {
        for (const allowance of [0, 1, 4, 5, 6, 50, 100, 127, 128, 200, 300, 500, 700, 800, 1000]) {
          const pair = makePair({ both });
          pair[to].allowance = allowance;
          const ends: Array<Watched<unknown>> = [
            watch(pair.client.connect().then(() => pair.client.read())),
            watch(pair.server.accept().then(() => pair.server.read())),
          ];
          await pair.pump();
          pair.cut();
          for (const { promise } of ends) await rejected(pair.during(promise), codes.unexpectedEof);
          pair.close();
        }
      }
    });

    it(`${version}: one byte of the handshake changed, wherever: a named error on either side`, async () => {
      for (const to of ['toClient', 'toServer'] as const) {
        for (let position = 0; position < 900; position += 37) {
          const pair = makePair({ both });
          let at = 0;
          pair[to].tamper = data => {
            const altered = Buffer.from(data);
            const index = position - at;
            if (index >= 0 && index < altered.length) altered[index] = (altered[index] ?? 0) ^ 0x80;
            at += data.length;
            return altered;
          };
          const ends = [
            watch(pair.client.connect().then(() => pair.client.read())),
            watch(pair.server.accept().then(() => pair.server.read())),
          ];
          await pair.pump();
          pair.cut();
          const found: string[] = [];
          for (const { promise } of ends) found.push((await rejected(pair.during(promise), /^[A-Z0-9_]+$/)).code);
          // Where it happened to be beyond the handshake, or in a field that nobody reads, both simply ran out of input.
          if (position < at)
            assert.ok(
              found.some(code => code !== 'ERR_SSL_UNEXPECTED_EOF') || to === 'toServer',
              `${to} ${position}: ${found}`,
            );
          pair.close();
        }
      }
    });
  }

  for (const [version, both] of versions) {
    it(`what is called after a failure meets the very same error, ${version}`, async () => {
      const pair = await connectedPair({ both });
      const { client } = pair;
      const { cert, key, certFile, keyFile } = certificates().client;
      const { session } = client;
      assert.ok(session);
      const waiting = watch(client.read());
      await turns(2);
      pair.toClient.to.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      const first: unknown = await waiting.promise.catch((error: unknown) => error);
      assert.ok(first instanceof Error);
      const calls: Record<string, () => unknown> = {
        read: () => client.read(),
        readInto: () => client.readInto(Buffer.alloc(1)),
        write: () => client.write('x'),
        handshake: () => client.handshake(),
        keyUpdate: () => client.keyUpdate(),
        scheduleKeyUpdate: () => client.scheduleKeyUpdate('requested'),
        renegotiate: () => client.renegotiate(),
        scheduleRenegotiate: () => client.scheduleRenegotiate(),
        shutdown: () => client.shutdown(),
        setShutdown: () => client.setShutdown({ sent: true }),
        setCiphers: () => client.setCiphers('ALL'),
        setVerify: () => client.setVerify({ rejectUnauthorized: false }),
        setSession: () => client.setSession(session),
        useCertificate: () => client.useCertificate(cert),
        useCertificateFile: () => client.useCertificateFile(certFile),
        usePrivateKey: () => client.usePrivateKey(key),
        usePrivateKeyFile: () => client.usePrivateKeyFile(keyFile),
      };
      for (const [name, call] of Object.entries(calls)) {
        const met = await Promise.resolve()
          .then(call)
          .then(
            () => 'nothing',
            (error: unknown) => error,
          );
        assert.equal(met, first, `${name}: ${met}`);
      }
      assert.equal(client.verifyResult.name, 'OK');
    });
  }

  it('and before the event of the failure has come', async () => {
    const [a, b] = Bio.pair();
    const { server, ca, client: own } = certificates();
    const context = new SslContext({ ca: ca.cert });
    const made = new Ssl(context, { side: 'client', host: 'localhost' });
    const peer = new Ssl(new SslContext({ cert: server.cert, key: server.key }), { side: 'server' });
    made.setBio(a, a);
    peer.setBio(b, b);
    await Promise.all([made.connect(), peer.accept()]);
    // At once: the read finds the end, and nothing has been delivered when the next calls are made.
    peer.close();
    const first = await made.read().catch((error: unknown) => error);
    for (const call of [
      () => made.setCiphers('ALL'),
      () => made.setVerify({ rejectUnauthorized: false }),
      () => made.useCertificate(own.cert),
    ]) {
      assert.equal(thrown(call, codes.unexpectedEof), first);
    }
    made.close();
  });

  it('a failure is told once: one close event, and each promise rejects with the same error', async () => {
    const pair = await connectedPair();
    const events: unknown[] = [];
    pair.server.on('close', () => events.push('close'));
    const reads = Array.from({ length: 20 }, () => watch(pair.server.read()));
    await turns(2);
    pair.toServer.to.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    const seen = new Set<string>();
    for (const { promise } of reads) seen.add((await rejected(promise, /^ERR_SSL_/)).message);
    assert.equal(seen.size, 1);
    await turns(3);
    pair.server.close();
    pair.server.close();
    await turns(3);
    assert.deepEqual(events, ['close']);
  });
});
