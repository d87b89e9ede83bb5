// What a client calls its server: what is refused, what is sent, and what a certificate must carry.
import assert from 'node:assert/strict';
import { type ConnectOptions, connect, connectDtls, type SslSession } from 'system-tls';
import { type Identity, issue } from '../../support/certificates.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, type MemoryPair, makePair, serverContext, tls12, versions } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';

const mismatch = 'ERR_TLS_CERT_ALTNAME_INVALID';

/** No names of hosts, and no addresses. */
const wrong = [
  ...['', '.', '..', '.example.com', '.com', '.localhost', 'localhost..', 'a..example.com'],
  ...[' 127.0.0.1', '127.0.0.1 ', '127.0.0.1\n', '\t::1', 'local host', ' localhost', 'localhost\r', '\u00a0localhost'],
  ...[
    '[::1]',
    '127.0.0.1:443',
    'localhost:443',
    'user@localhost',
    'localhost/',
    'localhost?',
    '%6cocalhost',
    '*.example.com',
  ],
  ...['local\0host', '127.0.0.1\0', 'b\u00fccher\0.example', 'host.1', '1.2.3.4.5', '300.1.1.1'],
  ...[`${'a'.repeat(64)}.example`, `${'a.'.repeat(127)}a`, 'a'.repeat(300), `${'\u00fc'.repeat(70)}.example`],
  ...[
    '\u3002example.com',
    'a\u3002\u3002example',
    'b\u00fccher/..',
    'b\u00fccher:443',
    'b\u00fccher\uff0fx',
    'b\u00fccher\t',
    '\ud800.example',
  ],
];

const withIdentity = ({ cert, key }: Identity) => serverContext({ cert, key });

describe('the name of a host', () => {
  for (const name of wrong) {
    it(`is not ${JSON.stringify(name).slice(0, 40)}`, async () => {
      thrown(() => makePair({ clientSsl: { servername: name } }), 'ERR_INVALID_ARG_VALUE');
      thrown(() => makePair({ clientSsl: { host: name } }), 'ERR_INVALID_ARG_VALUE');
      // Nobody listens there, and nobody is asked where that would be.
      const lookup = () => assert.fail('it was looked up');
      await rejected(connect({ host: name, port: 9, lookup }), 'ERR_INVALID_ARG_VALUE');
      await rejected(connectDtls({ host: name, port: 9 }), 'ERR_INVALID_ARG_VALUE');
      // An empty servername says that none is to be sent.
      if (name === '') return;
      await rejected(connect({ host: 'localhost', port: 9, servername: name, lookup }), 'ERR_INVALID_ARG_VALUE');
      await rejected(connectDtls({ host: '127.0.0.1', port: 9, servername: name }), 'ERR_INVALID_ARG_VALUE');
    });
  }

  it('is no address where it is sent', async () => {
    for (const servername of ['127.0.0.1', '::1', '127.1', '\uff11\uff12\uff17.0.0.1', 'fe80::1%lo']) {
      thrown(() => makePair({ clientSsl: { servername } }), 'ERR_INVALID_ARG_VALUE');
      await rejected(connect({ port: 9, servername }), 'ERR_INVALID_ARG_VALUE');
    }
  });

  it('with the dot of the root is sent and compared without it', async () => {
    const pair = await connectedPair({ clientSsl: { servername: 'localhost.' } });
    assert.equal(pair.server.servername, 'localhost');
    assert.equal(pair.client.verifyResult.name, 'OK');
    await connectedPair({ clientSsl: { servername: undefined, host: 'LOCALHOST.' } });
    const other = makePair({ clientSsl: { servername: 'elsewhere.example.' } });
    other.server.accept().catch(() => {});
    await rejected(other.during(other.client.connect()), mismatch);
  });

  it('with that dot keeps it where it is looked up, and nowhere else', async () => {
    const asked: string[] = [];
    const lookup = ((host, _options, done) => {
      asked.push(host);
      (done as (error: null, addresses: unknown) => void)(null, [{ address: '127.0.0.1', family: 4 }]);
    }) as NonNullable<ConnectOptions['lookup']>;
    const { port, next } = await startServer();
    const socket = await connectTo(port, { host: 'localhost.', servername: undefined, lookup });
    assert.deepEqual(asked, ['localhost.']);
    assert.equal((await next()).ssl.servername, 'localhost');
    assert.equal(socket.authorized, true);
    const { cert, key } = issue('u-label', { names: 'DNS:xn--bcher-kva.example' });
    const mapped = await startServer({ cert, key });
    await connectTo(mapped.port, { host: 'b\u00fccher.example', servername: undefined, lookup });
    assert.equal(asked.at(-1), 'xn--bcher-kva.example');
  });

  it('beyond ASCII is mapped as in a URL, sent and compared so', async () => {
    const far = withIdentity(issue('mapped', { names: 'DNS:xn--bcher-kva.example' }));
    for (const servername of [
      'b\u00fccher.example',
      'B\u00dcCHER.example',
      'b\u00fccher\u3002example.',
      'bu\u0308cher.example',
    ]) {
      const pair = await connectedPair({ serverContext: far, clientSsl: { servername } });
      assert.equal(pair.server.servername, 'xn--bcher-kva.example');
    }
    const other = makePair({ serverContext: far, clientSsl: { servername: 'bucher.example' } });
    other.server.accept().catch(() => {});
    await rejected(other.during(other.client.connect()), mismatch);
  });

  it('may have underscores, 63 characters in a part and 253 in all', async () => {
    const long = `${`${'a'.repeat(49)}.`.repeat(5)}abc`;
    assert.equal(long.length, 253);
    for (const servername of [
      '_dmarc.example',
      `${'a'.repeat(63)}.example`,
      long,
      `${long}.`,
      'x',
      'xn--bcher-kva.example',
    ]) {
      const pair = await connectedPair({ clientSsl: { servername, host: 'localhost' } });
      assert.equal(pair.server.servername, servername.replace(/\.$/, ''));
    }
  });

  it('does not stand for what is below it', async () => {
    const far = withIdentity(issue('below', { names: 'DNS:attacker.example.com' }));
    for (const servername of ['example.com', 'com', 'example.com.']) {
      const pair = makePair({ serverContext: far, clientSsl: { servername } });
      pair.server.accept().catch(() => {});
      await rejected(pair.during(pair.client.connect()), mismatch);
    }
    await connectedPair({ serverContext: far, clientSsl: { servername: 'attacker.example.com.' } });
  });
});

describe('the address of a host', () => {
  const address = { servername: undefined, host: '127.0.0.1' };

  async function refused(pair: MemoryPair, code: string): Promise<void> {
    pair.server.accept().catch(() => {});
    await rejected(pair.during(pair.client.connect()), code);
  }

  it('is known by the ways to write it that getaddrinfo() knows', async () => {
    const { port, next } = await startServer();
    for (const host of ['127.1', '0x7f.1', '\uff11\uff12\uff17.0.0.1']) {
      const socket = await connectTo(port, { host, servername: undefined });
      assert.equal(socket.authorized, true);
      assert.equal((await next()).ssl.servername, null);
    }
  });

  it('is compared without its zone', async () => {
    const far = withIdentity(issue('zone', { names: 'IP:fe80::1' }));
    await connectedPair({ serverContext: far, clientSsl: { servername: undefined, host: 'fe80::1%lo' } });
    await refused(makePair({ serverContext: far, clientSsl: { servername: undefined, host: 'fe80::2%lo' } }), mismatch);
  });

  for (const [version, both] of versions) {
    /** Of a connection that takes any name. */
    async function session(far: ReturnType<typeof serverContext>): Promise<SslSession> {
      let last: SslSession | undefined;
      const on = {
        session: (given: SslSession) => {
          last = given;
        },
      };
      const pair = makePair({
        serverContext: far,
        client: both,
        clientSsl: { servername: undefined, host: false, on },
      });
      await pair.handshake();
      void pair.client.read().catch(() => {});
      await pair.server.write('x');
      await pair.pump();
      assert.ok(last, 'a session');
      await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
      return last;
    }

    for (const [kind, issued] of [
      ['the CN', { subject: '/CN=127.0.0.1' }],
      ['a dNSName', { subject: '/CN=x', names: 'DNS:127.0.0.1' }],
    ] as const) {
      it(`is not ${kind} of that text, resumed or not, ${version}`, async () => {
        const { cert, key } = issue(`text-${kind.replace(' ', '-')}-${version}`, issued);
        const far = serverContext({ cert, key, ...both });
        await refused(makePair({ serverContext: far, client: both, clientSsl: address }), mismatch);
        const given = await session(far);
        const pair = makePair({ serverContext: far, client: both, clientSsl: { ...address, session: given } });
        await refused(pair, 'ERR_TLS_SESSION_HOST_MISMATCH');
      });
    }

    it(`is an iPAddress, resumed or not, ${version}`, async () => {
      const far = serverContext(both);
      const given = await session(far);
      const pair = makePair({ serverContext: far, client: both, clientSsl: { ...address, session: given } });
      await pair.handshake();
      assert.equal(pair.client.sessionReused, true);
      const other = { servername: undefined, host: '127.0.0.2', session: given };
      await refused(makePair({ serverContext: far, client: both, clientSsl: other }), 'ERR_TLS_SESSION_HOST_MISMATCH');
    });
  }

  it('is not what a name resumes, nor the other way round', async () => {
    const far = serverContext(tls12);
    const pair = await connectedPair({ serverContext: far, client: tls12, clientSsl: { servername: 'localhost.' } });
    const { session } = pair.client;
    assert.ok(session);
    assert.equal(session.host, 'localhost');
    await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
    thrown(() => makePair({ client: tls12, clientSsl: { ...address, session } }), 'ERR_TLS_SESSION_HOST_MISMATCH');
    const again = makePair({ serverContext: far, client: tls12, clientSsl: { servername: 'localhost', session } });
    await again.handshake();
    assert.equal(again.client.sessionReused, true);
  });
});
