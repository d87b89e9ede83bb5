// The context by the name that a client sends: by map and by function, and everything that a name must not be able to do.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import tls from 'node:tls';
import {
  type ConnectOptions,
  createDtlsServer,
  createServer,
  type OnServerName,
  type OpenSslError,
  type ServerOptions,
  type Ssl,
  SslContext,
  type SslContextOptions,
  type SslOptions,
  type SslSession,
  type TlsSocket,
} from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { answerTo, clientHello, serverExtensions, serverNameList } from '../../support/client-hello.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { makePair, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { gnutlsClient, opensslClient } from '../../support/peers.ts';
import { connectTo, pool, type Running, startServer } from '../../support/sockets.ts';
import { deferred, sleep, until, within } from '../../support/wait.ts';

const unrecognizedName = 112;
const decodeError = 50;

let made: Readonly<Record<'a' | 'b' | 'c', Identity>> | undefined;

/** Three leaves of the CA, each for its name. */
function identities() {
  made ??= {
    a: issue('sni-a', { subject: '/CN=a', names: 'DNS:a.example' }),
    b: issue('sni-b', { subject: '/CN=b', names: 'DNS:*.b.example' }),
    c: issue('sni-c', { subject: '/CN=c', names: 'DNS:c.example' }),
  };
  return made;
}

const pair = ({ cert, key }: Identity) => ({ cert, key });
const contextOf = (name: 'a' | 'b' | 'c', more: SslContextOptions = {}) =>
  new SslContext({ ...pair(identities()[name]), ...more });

const names = (): NonNullable<ServerOptions['serverNames']> => ({
  'a.example': pair(identities().a),
  '*.B.example': pair(identities().b),
});

/** Whom a client meets under a name: the subject of the certificate. */
async function met(port: number, servername: string, more: Partial<ConnectOptions> = {}): Promise<string | undefined> {
  const socket = await connectTo(port, { servername, host: '127.0.0.1', ...more, rejectUnauthorized: false });
  const subject = socket.ssl.peerCertificate?.subject;
  socket.destroy();
  return subject;
}

async function refusal(port: number, servername: string, more: Partial<ConnectOptions> = {}): Promise<OpenSslError> {
  const error = await rejected(connectTo(port, { servername, ...more, rejectUnauthorized: false }), /^ERR_/);
  return error as unknown as OpenSslError;
}

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

/** A client's session, once it can be resumed. */
async function sessionOf(client: TlsSocket, server: TlsSocket): Promise<SslSession> {
  server.write('x');
  await within(once(client, 'data'), 'a byte');
  await until(() => client.ssl.session?.resumable === true, 'a session');
  return client.ssl.session as SslSession;
}

describe('the context by server name', () => {
  for (const [version, both] of versions) {
    it(`${version}: by a map, where a wildcard stands for one label and case does not matter`, async () => {
      const { port } = await startServer({ ...both, serverNames: names() });
      const asked = ['a.example', 'A.EXAMPLE', 'x.b.example', 'X.B.Example', 'x.y.b.example', 'b.example', 'other'];
      const subjects: Array<string | undefined> = [];
      for (const name of asked) subjects.push(await met(port, name));
      const own = 'CN=localhost';
      assert.deepEqual(subjects, ['CN=a', 'CN=a', 'CN=b', 'CN=b', own, own, own]);
    });

    it(`${version}: an exact name goes before a wildcard, and a dot at the end is the same name`, async () => {
      const { port } = await startServer({
        ...both,
        serverNames: { '*.example': pair(identities().c), 'a.example.': pair(identities().a) },
      });
      assert.deepEqual([await met(port, 'a.example'), await met(port, 'z.example')], ['CN=a', 'CN=c']);
    });

    it(`${version}: by a function, at once or later, behind the map`, async () => {
      const asked: string[] = [];
      const onServerName: OnServerName = (name, { ssl }) => {
        asked.push(`${name} ${ssl.side}`);
        if (name === 'c.example') return sleep(5).then(() => contextOf('c', both));
        return name === 'now.example' ? contextOf('b', both) : null;
      };
      const { port } = await startServer({ ...both, serverNames: names(), onServerName });
      const subjects: Array<string | undefined> = [];
      for (const name of ['c.example', 'now.example', 'a.example', 'other']) subjects.push(await met(port, name));
      assert.deepEqual(subjects, ['CN=c', 'CN=b', 'CN=a', 'CN=localhost']);
      assert.deepEqual(asked, ['c.example server', 'now.example server', 'other server']);
    });

    it(`${version}: many at once, each gets its own`, async () => {
      const onServerName: OnServerName = async name => {
        await sleep(Number.parseInt(name, 10) % 7);
        return contextOf(Number.parseInt(name, 10) % 2 === 0 ? 'a' : 'b', both);
      };
      const { port } = await startServer({ ...both, onServerName });
      const subjects = await Promise.all(Array.from({ length: 40 }, (_, n) => met(port, `${n}.x`)));
      for (const [n, subject] of subjects.entries()) assert.equal(subject, n % 2 === 0 ? 'CN=a' : 'CN=b');
    });

    it(`${version}: unknown ones are refused with unrecognized_name, who sends none is not`, async () => {
      const running = await startServer({ ...both, serverNames: names(), unknownServerName: 'reject' });
      const errors = heard(running);
      const error = await refusal(running.port, 'other');
      assert.equal(error.alert?.name, 'unrecognized_name');
      await until(() => errors.length === 1, 'the server to hear of it');
      assert.deepEqual([errors[0]?.code, errors[0]?.alert?.name], ['ERR_TLS_UNRECOGNIZED_NAME', 'unrecognized_name']);
      assert.match(errors[0]?.message ?? '', /'other'/);
      const socket = tls.connect({ port: running.port, host: '127.0.0.1', rejectUnauthorized: false });
      await within(once(socket, 'secureConnect'), 'the handshake');
      assert.equal(socket.getPeerCertificate().subject.CN, 'localhost');
      socket.destroy();
    });

    it(`${version}: null from a function is unknown too`, async () => {
      const { port } = await startServer({ ...both, onServerName: () => null, unknownServerName: 'reject' });
      assert.equal((await refusal(port, 'a.example')).alert?.name, 'unrecognized_name');
    });

    it(`${version}: a session is resumed under its name, and under no other`, async () => {
      const running = await startServer({
        ...both,
        serverNames: {
          'a.example': pair(identities().a),
          'c.example': pair(identities().c),
          '*.b.example': pair(identities().b),
        },
        onServerName: () => contextOf('b', both),
      });
      const lax = { ...both, rejectUnauthorized: false, host: '127.0.0.1' };
      for (const [name, subject] of [
        ['a.example', 'CN=a'],
        ['x.b.example', 'CN=b'],
        ['by.function', 'CN=b'],
        ['localhost', 'CN=b'],
      ] as const) {
        const first = await connectTo(running.port, { ...lax, servername: name });
        const session = await sessionOf(first, await running.next());
        const again = await connectTo(running.port, { ...lax, servername: name, session });
        const served = await running.next();
        assert.deepEqual([again.ssl.sessionReused, served.ssl.context.certificate?.subject], [true, subject]);
        const elsewhere = await connectTo(running.port, { ...lax, servername: 'c.example', session });
        await running.next();
        assert.equal(elsewhere.ssl.sessionReused, false);
        assert.equal(elsewhere.ssl.peerCertificate?.subject, 'CN=c');
      }
    });

    it(`${version}: the whole policy comes along: a certificate that is required is required`, async () => {
      const { ca, client } = certificates();
      const running = await startServer({
        ...both,
        serverNames: { 'a.example': { ...pair(identities().a), ca: ca.cert, requestCert: true } },
      });
      const strict = { ...both, servername: 'a.example', host: '127.0.0.1', rejectUnauthorized: false };
      const errors = heard(running);
      const bare = await connectTo(running.port, strict).catch((error: Error) => error);
      // On TLS 1.3 a client is through before the server has refused it.
      if (!(bare instanceof Error)) bare.destroy();
      await until(() => errors.length === 1, 'the refusal');
      const socket = await connectTo(running.port, { ...strict, cert: client.cert, key: client.key });
      const served = await running.next();
      assert.equal(served.ssl.peerCertificate?.subject, 'CN=client');
      assert.equal(served.authorized, true);
      // The context that connections begin with asks nobody.
      assert.equal(await met(running.port, 'other', both), 'CN=localhost');
      socket.destroy();
    });

    it(`${version}: and a name cannot be a way around what the server requires`, async () => {
      const { ca } = certificates();
      const ready = contextOf('b', { ...both, ca: ca.cert });
      const running = await startServer({
        ...both,
        ca: ca.cert,
        requestCert: true,
        serverNames: { 'a.example': pair(identities().a), 'x.b.example': ready },
        onServerName: () => contextOf('c', { ...both, ca: ca.cert }),
      });
      const errors = heard(running);
      for (const name of ['a.example', 'x.b.example', 'c.example', 'localhost']) {
        const got = await connectTo(running.port, { ...both, servername: name, rejectUnauthorized: false }).catch(
          () => null,
        );
        got?.destroy();
      }
      await until(() => errors.length === 4, 'four refusals');
      assert.equal(running.accepted.length, 0);
    });

    it(`${version}: a function that verifies comes along with its context`, async () => {
      const seen: string[] = [];
      const { client, stranger } = certificates();
      const verify: SslContextOptions['verify'] = async ({ chain, ssl }) => {
        seen.push(`${chain[0]?.subject} for ${ssl.servername}`);
        await sleep(2);
        return chain[0]?.subject === 'CN=client';
      };
      const running = await startServer({
        ...both,
        serverNames: { 'a.example': { ...pair(identities().a), requestCert: true, verify } },
        onServerName: () => contextOf('c', { ...both, requestCert: true, verify }),
      });
      for (const name of ['a.example', 'c.example']) {
        const base = { ...both, servername: name, rejectUnauthorized: false };
        const good = await connectTo(running.port, { ...base, cert: client.cert, key: client.key });
        assert.equal((await running.next()).authorized, true);
        good.destroy();
        const errors = heard(running);
        const bad = await connectTo(running.port, { ...base, cert: stranger.cert, key: stranger.key }).catch(
          () => null,
        );
        await until(() => errors.length === 1, 'the refusal');
        bad?.destroy();
      }
      assert.deepEqual(seen, [
        'CN=client for a.example',
        'CN=stranger for a.example',
        'CN=client for c.example',
        'CN=stranger for c.example',
      ]);
    });
  }

  it('brings its versions, ciphers, protocols and groups along', async () => {
    const { port, next } = await startServer({
      serverNames: {
        'old.example': { ...pair(identities().a), maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
        'new.example': { ...pair(identities().b), minVersion: 'TLSv1.3', ecdhCurve: 'P-384' },
        'h2.example': { ...pair(identities().c), ALPNProtocols: ['h2'] },
      },
      ALPNProtocols: ['http/1.1'],
    });
    const at = async (servername: string, more: Partial<ConnectOptions> = {}) => {
      const socket = await connectTo(port, { servername, rejectUnauthorized: false, ...more });
      const server = await next();
      const { version, cipher, group, alpnProtocol } = socket.ssl;
      assert.deepEqual([server.ssl.version, server.ssl.alpnProtocol], [version, alpnProtocol]);
      socket.destroy();
      return { version, cipher: cipher?.name, group, alpnProtocol };
    };
    const old = await at('old.example');
    assert.deepEqual([old.version, old.cipher], ['TLSv1.2', 'ECDHE-ECDSA-AES256-GCM-SHA384']);
    const fresh = await at('new.example');
    assert.deepEqual([fresh.version, fresh.group], ['TLSv1.3', 'secp384r1']);
    const offered = { ALPNProtocols: ['h2', 'http/1.1'] };
    assert.equal((await at('h2.example', offered)).alpnProtocol, 'h2');
    assert.equal((await at('other', offered)).alpnProtocol, 'http/1.1');
    assert.match((await refusal(port, 'new.example', tls12)).code, /PROTOCOL_VERSION/);
  });

  it('is acknowledged where a name has chosen it, and not elsewhere', async () => {
    const serverName = 0;
    const { port } = await startServer({ ...tls12, serverNames: names() });
    const acknowledged = async (name: string) =>
      (await serverExtensions(port, clientHello(serverNameList(name)))).includes(serverName);
    assert.deepEqual([await acknowledged('a.example'), await acknowledged('other')], [true, false]);
  });

  it('leaves a server without names as it is: a certificate for TLS 1.2 alone is served on TLS 1.2', async () => {
    const old = issue('sni-old', { key: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'] });
    const { port } = await startServer({ cert: old.cert, key: old.key, securityLevel: 0 });
    const socket = await connectTo(port, {
      rejectUnauthorized: false,
      securityLevel: 0,
      ecdhCurve: 'P-256:secp256k1',
    });
    assert.equal(socket.ssl.version, 'TLSv1.2');
  });

  it('answers a HelloRetryRequest from the context that the first hello chose, and asks once', async () => {
    let asked = 0;
    const context = contextOf('c', { ...tls13, ecdhCurve: 'P-384' });
    const onServerName: OnServerName = async () => {
      asked++;
      return context;
    };
    const { port } = await startServer({ ...tls13, onServerName });
    assert.equal(await met(port, 'c.example', { ecdhCurve: 'X25519:P-384' }), 'CN=c');
    assert.equal(asked, 1);
  });

  describe('of an Ssl, over BIOs', () => {
    const servers = (more: SslContextOptions = {}) =>
      new SslContext({
        ...pair(certificates().server),
        serverNames: names() as SslContextOptions['serverNames'],
        ...more,
      });
    const both = (context: SslContext, servername: string, server: Partial<SslOptions> = {}) =>
      makePair({
        serverContext: context,
        client: { rejectUnauthorized: false },
        clientSsl: { servername },
        serverSsl: server,
      });

    for (const transport of ['queues', 'pair'] as const) {
      it(`through ${transport}: by map and by function, byte by byte`, async () => {
        const context = servers({ onServerName: async () => contextOf('c') });
        for (const [name, subject] of [
          ['a.example', 'CN=a'],
          ['elsewhere', 'CN=c'],
        ] as const) {
          const memory = makePair({
            serverContext: context,
            client: { rejectUnauthorized: false },
            clientSsl: { servername: name },
            transport,
          });
          await memory.handshake({ fragment: 1 });
          assert.equal(memory.client.peerCertificate?.subject, subject);
          assert.deepEqual(memory.server.context.certificate?.subject, subject);
        }
      });
    }

    it('what the Ssl says of verification holds for ready contexts', async () => {
      const context = servers({ serverNames: { 'a.example': contextOf('a', { ca: certificates().ca.cert }) } });
      const memory = both(context, 'a.example', { requestCert: true });
      await rejected(memory.handshake(), /./);
      assert.match(String(memory.server.peerCertificate), /null/);
    });
  });

  describe('and verification', () => {
    const { ca, client, stranger } = certificates();
    const required = { requestCert: true, ca: ca.cert } as const;
    const strict = (more: SslContextOptions = {}) => contextOf('b', { ...required, ...more });

    /** Whether a client without a certificate, or with this one, gets in. */
    async function admits(running: Running, servername: string, identity?: Identity): Promise<boolean> {
      const errors = heard(running);
      const own = identity && { cert: identity.cert, key: identity.key };
      const socket = await connectTo(running.port, { ...tls12, ...own, servername, rejectUnauthorized: false }).catch(
        () => null,
      );
      if (socket === null) await until(() => errors.length > 0, 'the refusal');
      else await running.next();
      socket?.destroy();
      return socket !== null;
    }

    it('a context that says nothing of it leaves it as the server, or what replaced its context, wants it', async () => {
      const secureContext = new SslContext({ ...pair(certificates().server), ca: ca.cert });
      const running = await startServer({
        secureContext,
        requestCert: true,
        serverNames: {
          'a.example': { ...pair(identities().a), ca: ca.cert },
          'x.b.example': contextOf('b', { ca: ca.cert }),
        },
        cert: undefined,
        key: undefined,
      });
      running.server.addServerName('c.example', { ...pair(identities().c), ca: ca.cert });
      for (const name of ['a.example', 'x.b.example', 'c.example', 'other']) {
        assert.deepEqual([await admits(running, name), await admits(running, name, client)], [false, true], name);
      }
      const later = await startServer({ serverNames: { 'a.example': { ...pair(identities().a), ca: ca.cert } } });
      assert.equal(await admits(later, 'a.example'), true);
      later.server.setSecureContext({ ...pair(certificates().server), ...required });
      assert.equal(await admits(later, 'a.example'), false);
    });

    it('a context that says something has its own, whatever the server says', async () => {
      for (const lax of [
        {},
        { requestCert: false },
        { rejectUnauthorized: false },
        { requestCert: true, rejectUnauthorized: false },
        { verifyMode: 'NONE' },
      ] as const) {
        const running = await startServer({ ...lax, serverNames: { 'x.b.example': strict() } });
        const got = [await admits(running, 'x.b.example'), await admits(running, 'x.b.example', stranger)];
        assert.deepEqual(got, [false, false], JSON.stringify(lax));
        assert.equal(await admits(running, 'other'), true);
      }
      const asked: string[] = [];
      const verify = (name: string) => () => {
        asked.push(name);
        return true;
      };
      const running = await startServer({
        ...required,
        verify: verify('first'),
        serverNames: { 'x.b.example': strict({ verify: verify('own') }) },
      });
      assert.equal(await admits(running, 'x.b.example', client), true);
      assert.deepEqual(asked, ['own']);
    });

    it('null is nothing that options say', async () => {
      for (const nothing of [
        { requestCert: null },
        { rejectUnauthorized: null },
        { verify: null },
        { verifyMode: null },
      ]) {
        const own = { ...pair(identities().a), ...nothing, minVersion: null } as unknown as SslContextOptions;
        const running = await startServer({ ...required, serverNames: { 'a.example': own } });
        assert.equal(await admits(running, 'a.example'), false, JSON.stringify(nothing));
      }
    });

    const ways: ReadonlyArray<readonly [string, Partial<SslOptions>, (ssl: Ssl) => void]> = [
      ['options', { verifyMode: ['PEER', 'FAIL_IF_NO_PEER_CERT'] }, () => {}],
      ['a function', { requestCert: true, verify: () => false }, () => {}],
      ['setVerify()', {}, ssl => ssl.setVerify({ requestCert: true, rejectUnauthorized: true })],
      ['setVerify() with a function', {}, ssl => ssl.setVerify({ requestCert: true, verify: () => false })],
      ['setCiphers() with a level', {}, ssl => ssl.setCiphers('ALL:@SECLEVEL=4')],
    ];
    for (const [what, options, act] of ways) {
      it(`what an Ssl says itself, by ${what}, holds under every name`, async () => {
        for (const named of [pair(identities().a), { ...pair(identities().a), requestCert: false }]) {
          const context = new SslContext({
            ...pair(certificates().server),
            ca: ca.cert,
            serverNames: { 'a.example': named },
          });
          for (const servername of ['a.example', 'other']) {
            const memory = makePair({
              serverContext: context,
              client: { ...tls12, rejectUnauthorized: false, cert: stranger.cert, key: stranger.key },
              clientSsl: { servername },
              serverSsl: options,
            });
            act(memory.server);
            await rejected(memory.handshake(), /^/);
          }
        }
      });
    }

    it('a depth of the server’s own holds under every name', async () => {
      const running = await startServer({
        ...required,
        verifyDepth: 0,
        serverNames: { 'a.example': pair(identities().a) },
      });
      assert.deepEqual(
        [await admits(running, 'a.example', client), await admits(running, 'other', client)],
        [true, true],
      );
      const memory = makePair({
        serverContext: new SslContext({
          ...pair(certificates().server),
          ca: ca.cert,
          serverNames: { 'a.example': pair(identities().a) },
        }),
        client: { rejectUnauthorized: false },
        clientSsl: { servername: 'a.example' },
        serverSsl: { verifyDepth: 0 },
      });
      await memory.handshake();
      assert.equal(memory.server.context.certificate?.subject, 'CN=a');
    });

    it('that waits under one name, without end and a thousand times, holds up no other', async () => {
      const running = await startServer({
        ...tls12,
        serverNames: {
          'a.example': pair(identities().a),
          'x.b.example': { ...pair(identities().b), requestCert: true, verify: () => new Promise<boolean>(() => {}) },
        },
      });
      const waiting = Array.from({ length: 1_100 }, () =>
        connectTo(running.port, {
          ...tls12,
          servername: 'x.b.example',
          cert: client.cert,
          key: client.key,
          rejectUnauthorized: false,
        }).catch(() => null),
      );
      await until(() => running.server.connections >= 1_100, 'all of them');
      assert.equal(await met(running.port, 'a.example'), 'CN=a');
      assert.equal(await met(running.port, 'other'), 'CN=localhost');
      running.server.closeAllConnections();
      await Promise.all(waiting);
    });
  });

  it('tells its name in one form, and its context to the end', async () => {
    const running = await startServer({ ...tls12, serverNames: names() });
    const first = await connectTo(running.port, { ...tls12, servername: 'A.Example', rejectUnauthorized: false });
    const served = await running.next();
    assert.equal(served.ssl.servername, 'a.example');
    const session = await sessionOf(first, served);
    const closed = once(served.ssl, 'close').then(() => served.ssl.context.certificate?.subject);
    served.destroy();
    assert.equal(await within(closed, 'the end'), 'CN=a');
    await connectTo(running.port, { ...tls12, servername: 'a.EXAMPLE', session, rejectUnauthorized: false });
    const again = await running.next();
    assert.deepEqual([again.ssl.sessionReused, again.ssl.servername], [true, 'a.example']);
  });

  it('leaves a quiet shutdown that was set on the connection', async () => {
    const running = await startServer({
      onServerName: (_name, { ssl }) => {
        ssl.quietShutdown = true;
        return contextOf('a');
      },
    });
    const socket = await connectTo(running.port, { servername: 'x', rejectUnauthorized: false });
    const ends = once(socket, 'error');
    const served = await running.next();
    assert.equal(served.ssl.quietShutdown, true);
    served.end();
    // No close_notify: a truncation.
    assert.equal(((await within(ends, 'the end')) as [OpenSslError])[0].code, codes.unexpectedEof);
  });

  describe('changed while the server runs', () => {
    it('adds, replaces and removes; connections that there are keep theirs', async () => {
      const running = await startServer({ ...tls12, clientRenegotiation: true });
      const { server, port } = running;
      assert.equal(await met(port, 'a.example'), 'CN=localhost');
      server.addServerName('A.example', pair(identities().a));
      const kept = await connectTo(port, { servername: 'a.example', rejectUnauthorized: false });
      assert.equal(kept.ssl.peerCertificate?.subject, 'CN=a');
      server.addServerName('a.example', contextOf('c'));
      assert.equal(await met(port, 'a.example'), 'CN=c');
      assert.equal(server.removeServerName('a.example'), true);
      assert.equal(server.removeServerName('a.example'), false);
      assert.equal(await met(port, 'a.example'), 'CN=localhost');
      kept.resume();
      await kept.renegotiate();
      assert.equal(kept.ssl.peerCertificate?.subject, 'CN=a');
    });

    it('setSecureContext() keeps names and ticket keys', async () => {
      for (const both of [tls12, tls13]) {
        const running = await startServer({ ...both, serverNames: names() });
        const { server, port } = running;
        const lax = { ...both, rejectUnauthorized: false };
        const first = await connectTo(port, { ...lax, servername: 'localhost' });
        const session = await sessionOf(first, (await running.next()) as TlsSocket);
        const { cert, key } = certificates().server;
        server.setSecureContext({ ...both, cert, key });
        const again = await connectTo(port, { ...lax, servername: 'localhost', session });
        assert.equal(again.ssl.sessionReused, true);
        assert.equal(await met(port, 'a.example'), 'CN=a');
        server.setSecureContext({
          ...both,
          ...pair(identities().c),
          serverNames: { 'd.example': pair(identities().b) },
        });
        const subjects = [await met(port, 'other'), await met(port, 'a.example'), await met(port, 'd.example')];
        assert.deepEqual(subjects, ['CN=c', 'CN=a', 'CN=b']);
      }
    });

    it('ten thousand names cost a client no more than one', async () => {
      const running = await startServer(tls13);
      const context = contextOf('a');
      for (let n = 0; n < 10_000; n++) running.server.addServerName(`n${n}.example`, context);
      assert.equal(await met(running.port, 'n9999.example'), 'CN=a');
      const begin = performance.now();
      for (let n = 0; n < 10; n++) assert.equal(await met(running.port, `n${n}.example`), 'CN=a');
      assert.ok(performance.now() - begin < 5_000);
    });
  });

  describe('foreign clients', () => {
    it('openssl s_client -servername gets the right one of three, resumed too', async () => {
      for (const [flag, both] of [
        ['-tls1_2', tls12],
        ['-tls1_3', tls13],
      ] as const) {
        const { port } = await startServer({ ...both, serverNames: names(), onServerName: () => contextOf('c', both) });
        for (const [name, subject] of [
          ['a.example', 'CN ?= ?a'],
          ['w.b.example', 'CN ?= ?b'],
          ['elsewhere', 'CN ?= ?c'],
        ] as const) {
          // It connects six times, and resumes from the second on.
          const peer = opensslClient(port, [flag, '-servername', name, '-reconnect']);
          await peer.printed(new RegExp(`subject=${subject}`));
          if (flag === '-tls1_2') await peer.printed(/Reused, TLSv1.2/);
          peer.signal('SIGKILL');
        }
      }
    });

    it('gnutls-cli gets the right one, resumed too', async function () {
      needsProgram(this, 'gnutls-cli');
      const { port } = await startServer({ serverNames: names(), onServerName: () => contextOf('c') });
      for (const [name, subject] of [
        ['a.example', 'CN=a'],
        ['w.b.example', 'CN=b'],
        ['elsewhere', 'CN=c'],
      ] as const) {
        const peer = gnutlsClient(port, ['--insecure', '--sni-hostname', name, '--resume', '--waitresumption']);
        await peer.printed(new RegExp(`subject .${subject}`));
        await peer.printed(/This is a resumed session/);
        peer.signal('SIGKILL');
      }
    });

    it('curl --resolve gets the right one of three, resumed too', async function () {
      needsProgram(this, 'curl');
      const { server, port } = await startServer({
        serverNames: { 'a.example': pair(identities().a), '*.b.example': pair(identities().b) },
        onServerName: name => (name === 'c.example' ? contextOf('c') : null),
        strictEnd: false,
      });
      server.on('secureConnection', socket => {
        const body = `${socket.ssl.context.certificate?.subject} ${socket.ssl.sessionReused ? 'resumed' : 'full'}\n`;
        socket.on('data', () =>
          socket.end(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
        );
      });
      for (const [name, subject] of [
        ['a.example', 'CN=a'],
        ['w.b.example', 'CN=b'],
        ['c.example', 'CN=c'],
      ] as const) {
        const url = `https://${name}:${port}/`;
        const common = ['-sS', '--cacert', certificates().ca.certFile, '--resolve', `${name}:${port}:127.0.0.1`];
        // Both in one process, which keeps the session.
        const child = new Child('curl', [...common, url, url]);
        assert.deepEqual(await within(child.exited, 'curl to end'), { code: 0, signal: null }, child.output);
        assert.deepEqual(child.output.trim().split('\n'), [`${subject} full`, `${subject} resumed`]);
      }
    });

    it('node:tls gets the right one', async () => {
      const { port } = await startServer({ serverNames: names() });
      for (const [servername, subject] of [
        ['a.example', 'a'],
        ['q.b.example', 'b'],
      ] as const) {
        const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false });
        await within(once(socket, 'secureConnect'), 'the handshake');
        assert.equal(socket.getPeerCertificate().subject.CN, subject);
        socket.destroy();
      }
    });
  });

  describe('bad names', () => {
    const bad: ReadonlyArray<readonly [string, Buffer, 'ServerHello' | number, number]> = [
      ['with NUL', serverNameList('a.example\0.evil'), unrecognizedName, unrecognizedName],
      ['of 256 bytes', serverNameList(`${'a'.repeat(248)}.example`), unrecognizedName, unrecognizedName],
      ['that is an address', serverNameList('127.0.0.1'), 'ServerHello', unrecognizedName],
      ['that is an address of IPv6', serverNameList('::1'), 'ServerHello', unrecognizedName],
      ['with U-labels', serverNameList('bücher.example'), 'ServerHello', unrecognizedName],
      ['of dots', serverNameList('..'), 'ServerHello', unrecognizedName],
      ['of one dot', serverNameList('.'), 'ServerHello', unrecognizedName],
      ['with two dots at its end', serverNameList('a.example..'), 'ServerHello', unrecognizedName],
      ['with a dot before it', serverNameList('.a.example'), 'ServerHello', unrecognizedName],
      ['with a blank', serverNameList('a .example'), 'ServerHello', unrecognizedName],
      ['with a star', serverNameList('*.b.example'), 'ServerHello', unrecognizedName],
    ];
    for (const [what, list, lenient, strict] of bad) {
      it(`${what} match nothing, and ask nobody`, async () => {
        const asked: string[] = [];
        const onServerName: OnServerName = name => {
          asked.push(name);
          return contextOf('c');
        };
        const all = { ...tls12, serverNames: names(), onServerName };
        const open = await startServer(all);
        const closed = await startServer({ ...all, unknownServerName: 'reject' });
        assert.deepEqual(
          [await answerTo(open.port, clientHello(list)), await answerTo(closed.port, clientHello(list))],
          [lenient, strict],
        );
        assert.deepEqual(asked, []);
        assert.equal(await met(open.port, 'a.example'), 'CN=a');
      });
    }

    it('with a dot at the end or in upper case are the same names', async () => {
      const asked: string[] = [];
      const onServerName: OnServerName = name => {
        asked.push(name);
        return null;
      };
      const { port } = await startServer({ ...tls12, serverNames: names(), onServerName, unknownServerName: 'reject' });
      for (const name of ['a.example.', 'A.EXAMPLE', 'X.b.example.']) {
        assert.equal(await answerTo(port, clientHello(serverNameList(name))), 'ServerHello');
      }
      assert.equal(await answerTo(port, clientHello(serverNameList('Other.Example.'))), unrecognizedName);
      assert.deepEqual(asked, ['other.example']);
      assert.equal(await answerTo(port, clientHello()), 'ServerHello');
    });

    it('in an extension that is no list of one name are decode errors', async () => {
      const { port } = await startServer({ ...tls12, serverNames: names(), unknownServerName: 'reject' });
      const good = serverNameList('a.example');
      for (const body of [
        Buffer.alloc(0),
        Buffer.from([0]),
        Buffer.from([0, 0]),
        good.subarray(0, good.length - 1),
        Buffer.concat([good, Buffer.from([0])]),
        serverNameList('a.example', 1),
        serverNameList(''),
      ]) {
        const answer = await answerTo(port, clientHello(body));
        assert.ok(answer === decodeError || answer === unrecognizedName, `${body.toString('hex')}: ${answer}`);
      }
      assert.equal(await met(port, 'a.example'), 'CN=a');
    });
  });

  describe('a function that', () => {
    const failing: ReadonlyArray<readonly [string, OnServerName, string]> = [
      [
        'throws',
        () => {
          throw new TypeError('not today');
        },
        'ERR_TLS_SERVER_NAME_CALLBACK',
      ],
      ['rejects', () => Promise.reject(new TypeError('not today')), 'ERR_TLS_SERVER_NAME_CALLBACK'],
      ['answers with something else', () => 'a.example' as never, 'ERR_TLS_SERVER_NAME_CALLBACK'],
      [
        'answers with the context of a client',
        () => contextOf('a', { method: 'TLS_client' }),
        'ERR_TLS_SERVER_NAME_CALLBACK',
      ],
      ['answers with a context of DTLS', () => contextOf('a', { method: 'DTLS' }), 'ERR_TLS_SERVER_NAME_CALLBACK'],
      [
        'answers with a context of names',
        () => contextOf('a', { onServerName: () => null }),
        'ERR_TLS_SERVER_NAME_CALLBACK',
      ],
    ];
    for (const [what, onServerName, code] of failing) {
      it(`${what} fails its own handshake alone`, async () => {
        const running = await startServer({ serverNames: names(), onServerName });
        const errors = heard(running);
        assert.equal((await refusal(running.port, 'other')).alert?.name, 'internal_error');
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(errors[0]?.code, code);
        assert.ok(errors[0]?.cause instanceof Error);
        assert.equal(await met(running.port, 'a.example'), 'CN=a');
      });
    }

    it('never answers is bounded by the handshake’s timeout', async () => {
      const running = await startServer({ onServerName: () => new Promise(() => {}), handshakeTimeout: 100 });
      const errors = heard(running);
      const connecting = connectTo(running.port, { servername: 'slow.example' });
      await rejected(connecting, /./);
      await until(() => errors.length === 1, 'the timeout');
      assert.equal(errors[0]?.code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    });

    it('answers when the client has gone, or the server, harms nobody', async () => {
      const answer = deferred<SslContext>();
      let asked = 0;
      const running = await startServer({
        onServerName: () => {
          asked++;
          return answer.promise;
        },
      });
      const gone = new AbortController();
      const connecting = connectTo(running.port, { servername: 'slow.example', signal: gone.signal });
      await until(() => asked === 1, 'the question');
      gone.abort();
      await rejected(connecting, codes.aborted);
      const closing = connectTo(running.port, { servername: 'slow.example' });
      await until(() => asked === 2, 'the second question');
      running.server.closeAllConnections();
      await rejected(closing, /./);
      answer.resolve(contextOf('a'));
      await sleep(20);
      assert.equal(running.server.connections, 0);
      assert.equal(await met(running.port, 'again.example'), 'CN=a');
    });

    it('looks at the connection and closes it', async () => {
      const running = await startServer({
        onServerName: async (_name, { ssl }) => {
          assert.deepEqual([ssl.established, ssl.version, ssl.cipher], [false, 'unknown', null]);
          ssl.close();
          return contextOf('a');
        },
      });
      await rejected(connectTo(running.port, { servername: 'x' }), /./);
      await until(() => running.server.connections === 0, 'the end of the connection');
    });
  });

  it('a renegotiation keeps its context', async () => {
    const running = await startServer({ ...tls12, clientRenegotiation: true, serverNames: names() });
    const errors: Error[] = [];
    const peer = opensslClient(running.port, ['-tls1_2', '-servername', 'a.example']);
    const socket = await running.next();
    socket.on('error', error => errors.push(error));
    socket.resume();
    await peer.printed(/Verify return code/);
    peer.write('R\n');
    await until(() => socket.ssl.renegotiations === 1, 'its renegotiation');
    assert.equal(socket.ssl.context.certificate?.subject, 'CN=a');
    peer.signal('SIGKILL');
    await until(() => socket.destroyed, 'the end');
  });

  describe('options', () => {
    const server = (options: unknown) =>
      createServer({ ...pair(certificates().server), ...(options as ServerOptions) });
    const wrong: ReadonlyArray<readonly [string, unknown, string]> = [
      ['a Map', { serverNames: new Map([['a.example', {}]]) }, codes.wrongType],
      ['bytes', { serverNames: { 'a.example': Buffer.from('a certificate') } }, codes.wrongType],
      ['no certificate', { serverNames: { 'a.example': { minVersion: 'TLSv1.3' } } }, codes.wrongValue],
      ['a key log', { serverNames: { 'a.example': { keylogFile: 'keys' } } }, codes.wrongValue],
      ['no object', { serverNames: 7 }, codes.wrongType],
      ['a name of blanks', { serverNames: { 'a b': {} } }, codes.wrongValue],
      ['an empty name', { serverNames: { '': {} } }, codes.wrongValue],
      ['an address', { serverNames: { '127.0.0.1': {} } }, codes.wrongValue],
      ['a star alone', { serverNames: { '*': {} } }, codes.wrongValue],
      ['a star within', { serverNames: { 'a.*.example': {} } }, codes.wrongValue],
      ['two stars', { serverNames: { '*.*.example': {} } }, codes.wrongValue],
      ['part of a label', { serverNames: { 'w*.example': {} } }, codes.wrongValue],
      ['no context', { serverNames: { 'a.example': 7 } }, codes.wrongType],
      ['null', { serverNames: { 'a.example': null } }, codes.wrongType],
      ['one name twice', { serverNames: { 'a.example': {}, 'A.example.': {} } }, codes.wrongValue],
      ['ticket keys', { serverNames: { 'a.example': { ticketKeys: Buffer.alloc(80) } } }, codes.wrongValue],
      ['names in names', { serverNames: { 'a.example': { serverNames: { b: {} } } } }, codes.wrongValue],
      ['no function', { onServerName: 'a' }, codes.wrongType],
      ['another word', { unknownServerName: 'refuse' }, codes.wrongValue],
    ];
    for (const [what, options, code] of wrong) {
      it(`${what}: refused`, () => void thrown(() => server(options), code));
    }

    it('a context that cannot serve: refused when it is given', async () => {
      const clientOnly = contextOf('a', { method: 'TLS_client' });
      thrown(() => server({ serverNames: { 'a.example': clientOnly } }), codes.wrongSide);
      const running = await startServer({ ecdhCurve: 'P-256' });
      thrown(() => running.server.addServerName('a.example', clientOnly), codes.wrongSide);
      thrown(() => running.server.addServerName('a.example', contextOf('a')), codes.wrongValue);
      thrown(() => running.server.addServerName('a.example', 7 as never), codes.wrongType);
      thrown(() => running.server.addServerName(7 as never, contextOf('a')), codes.wrongType);
      assert.equal(await met(running.port, 'a.example'), 'CN=localhost');
      running.server.addServerName('a.example', pair(identities().a));
      assert.equal(await met(running.port, 'a.example'), 'CN=a');
    });

    it('with DTLS: refused', () => {
      thrown(() => new SslContext({ method: 'DTLS', onServerName: () => null }), 'ERR_TLS_DTLS');
      const dtls = { ...pair(certificates().server), unknownServerName: 'reject' } as const;
      thrown(() => createDtlsServer(dtls), 'ERR_TLS_DTLS');
      const secureContext = new SslContext({ ...pair(certificates().server), method: 'DTLS' });
      thrown(() => createDtlsServer({ secureContext, serverNames: names() }), 'ERR_TLS_DTLS');
    });

    it('beside a ready context with names go before its own, one by one', async () => {
      const secureContext = new SslContext({
        ...pair(certificates().server),
        serverNames: { 'a.example': pair(identities().a), 'x.b.example': pair(identities().b) },
        onServerName: () => null,
      });
      const running = await startServer({
        secureContext,
        serverNames: { 'a.example': pair(identities().c) },
        unknownServerName: 'reject',
      });
      const { server, port } = running;
      assert.deepEqual([await met(port, 'a.example'), await met(port, 'x.b.example')], ['CN=c', 'CN=b']);
      assert.equal((await refusal(port, 'other')).alert?.name, 'unrecognized_name');
      server.setSecureContext({
        ...pair(certificates().server),
        unknownServerName: 'default',
        onServerName: null as never,
      });
      assert.deepEqual([await met(port, 'a.example'), await met(port, 'other')], ['CN=c', 'CN=localhost']);
    });

    it('beside a ready context names have their own options', async () => {
      const secureContext = new SslContext(pair(certificates().server));
      const running = await startServer({ secureContext, serverNames: names(), io: pool });
      assert.deepEqual([await met(running.port, 'a.example'), await met(running.port, 'b')], ['CN=a', 'CN=localhost']);
    });

    it('U-labels are mapped, as in what a client sends', async () => {
      const { port } = await startServer({ serverNames: { 'bücher.example': pair(identities().a) } });
      assert.equal(await met(port, 'bücher.example'), 'CN=a');
      assert.equal(await met(port, 'xn--bcher-kva.example'), 'CN=a');
    });
  });
});
