// The verify callback over sockets, on the loop and on I/O threads: many at once, inside SSL_read, and ends of all kinds while
// a handshake waits for its answer.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { IoPool, type ServerOptions, type TlsSocket, type Verify } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { connectedPair, makePair, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { gnutlsClient, opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { patience, sleep, turns, until, watch, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const asking = (verify: Verify, more: ServerOptions = {}): ServerOptions => ({
  requestCert: true,
  ca: certificates().ca.cert,
  verify,
  ...more,
});

/** A function that waits for the test to answer. */
function held() {
  const answers: Array<(answer: boolean | string) => void> = [];
  const verify: Verify = () => new Promise(resolve => answers.push(resolve));
  return { verify, answers };
}

async function carries(client: TlsSocket, server: TlsSocket): Promise<void> {
  for (const [from, to] of [
    [client, server],
    [server, client],
  ] as const) {
    const arrived = once(to, 'data');
    from.write('hello');
    assert.equal(String((await within(arrived, 'data'))[0]), 'hello');
  }
}

describe('the verify callback over sockets', () => {
  for (const [version, both] of versions) {
    it(`${version}: on both sides, by promises`, async () => {
      const seen: string[] = [];
      const verify: Verify = async ({ ssl, chain }) => {
        await sleep(5);
        seen.push(`${ssl.side} ${chain[0]?.subject}`);
        return true;
      };
      const { client, server } = await socketPair(asking(verify, both), {
        ...both,
        ...identity(certificates().stranger),
        verify,
      });
      assert.deepEqual(seen.sort(), ['client CN=localhost', 'server CN=stranger']);
      assert.equal(server.ssl.verifyResult.name, 'OK');
      assert.equal(server.authorized, true);
      await carries(client, server);
    });

    it(`${version}: a server that refuses tells tlsClientError, and others go on`, async () => {
      let count = 0;
      const verify: Verify = async () => ++count > 1 || 'CERT_REVOKED';
      const running = await startServer(asking(verify, both));
      const failed = once(running.server, 'tlsClientError') as Promise<[NodeJS.ErrnoException]>;
      const client = { ...both, ...identity(certificates().client) };
      const refused = connectTo(running.port, client).then(async socket => {
        socket.resume();
        await once(socket, 'error').then(([error]) => Promise.reject(error));
      });
      await rejected(refused, /ALERT_CERTIFICATE_REVOKED$/);
      assert.equal((await failed)[0].code, 'CERT_REVOKED');
      const [socket, accepted] = await Promise.all([connectTo(running.port, client), running.next()]);
      await carries(socket, accepted);
    });
  }

  it('one that never answers meets handshakeTimeout, on either side', async () => {
    const { verify } = held();
    const running = await startServer(asking(verify, { handshakeTimeout: 100 }));
    const failed = once(running.server, 'tlsClientError') as Promise<[NodeJS.ErrnoException]>;
    void connectTo(running.port, { ...tls12, ...identity(certificates().client) }).catch(() => {});
    assert.equal((await within(failed, 'tlsClientError'))[0].code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    const plain = await startServer();
    await rejected(connectTo(plain.port, { verify, handshakeTimeout: 100 }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
  });

  it('hundreds of handshakes wait at once, and are answered in any order', async () => {
    const many = 300;
    const { verify, answers } = held();
    const running = await startServer(asking(verify));
    const client = { ...tls12, ...identity(certificates().client) };
    const connecting = Array.from({ length: many }, () => connectTo(running.port, client));
    await until(() => answers.length === many, 'that all wait');
    for (const answer of answers.reverse()) answer(true);
    const sockets = await Promise.all(connecting);
    assert.equal(sockets.length, many);
    const served = await Promise.all(sockets.map(() => running.next()));
    assert.ok(served.every(({ ssl }) => ssl.peerCertificate?.subject === 'CN=client'));
  });

  it('sockets and servers that end while handshakes wait', async () => {
    const { verify, answers } = held();
    const running = await startServer(asking(verify));
    const aborter = new AbortController();
    const clients: Array<Promise<unknown>> = [];
    for (let index = 0; index < 20; index++) {
      const aborted = { signal: aborter.signal };
      const options = { ...tls12, ...identity(certificates().client), ...(index % 2 === 0 && aborted) };
      clients.push(connectTo(running.port, options).catch(() => undefined));
    }
    await until(() => answers.length === 20, 'that all wait');
    aborter.abort();
    await sleep(20);
    running.server.closeAllConnections();
    await within(Promise.all(clients), 'the end of the clients');
    for (const answer of answers) answer(true);
    await turns(3);
  });

  it('a pool that closes while handshakes wait', async () => {
    const own = new IoPool({ threads: 2 });
    const { verify, answers } = held();
    const running = await startServer(asking(verify, { io: own }));
    const failures: unknown[] = [];
    running.server.on('tlsClientError', error => failures.push((error as NodeJS.ErrnoException).code));
    const client = { ...tls12, ...identity(certificates().client) };
    const clients = Array.from({ length: 8 }, () => connectTo(running.port, client).catch(() => undefined));
    await until(() => answers.length === 8, 'that all wait');
    await within(own.close(), 'the pool to close');
    await within(Promise.all(clients), 'the end of the clients');
    assert.deepEqual(failures, Array(8).fill(codes.closed));
    for (const answer of answers) answer(true);
    await turns(3);
  });

  it('a connection moves to the loop after a handshake that waited', async () => {
    const own = new IoPool({ threads: 1 });
    const verify: Verify = () => sleep(5, true);
    const { client, server } = await socketPair(
      asking(verify, { io: own, data: 'loop' }),
      identity(certificates().client),
    );
    await carries(client, server);
    client.destroy();
    server.destroy();
    await own.close();
  });
});

describe('the verify callback inside SSL_read', () => {
  for (const [version, both] of versions) {
    // Asking sets another verify mode: the function must stay.
    it(`${version}: a certificate that is asked for later is the function’s to decide, either way`, async () => {
      const { client, stranger } = certificates();
      const options = { ...both, ca: certificates().ca.cert };
      for (const [kind, given] of [
        ['verify', (answer: boolean) => ({ verify: () => answer })],
        ['verifyCallback', (answer: boolean) => ({ verifyCallback: () => answer })],
        ['setVerify()', (answer: boolean) => ({ verify: () => answer })],
      ] as const) {
        for (const [shown, answer] of [
          [stranger, true],
          [client, false],
        ] as const) {
          const own = kind === 'setVerify()';
          const { client: near, server } = await socketPair(
            { ...options, ...(!own && given(answer)) },
            { ...both, ...identity(shown) },
          );
          if (own) server.ssl.setVerify({ verifyMode: 'NONE', ...given(answer) });
          near.resume();
          server.resume();
          const asked = server.requestClientCertificate();
          if (answer) {
            await within(asked, 'the certificate');
            assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger', kind);
            assert.equal(server.ssl.verifyResult.name, 'OK', kind);
            await carries(near, server);
          } else {
            await rejected(asked, 'APPLICATION_VERIFICATION');
          }
        }
      }
    });

    it(`${version}: asked twice, it decides each time`, async () => {
      const seen: string[] = [];
      const { client: near, server } = await socketPair(
        asking(async ({ chain }) => seen.push(chain[0]?.subject ?? '') > 0, both),
        { ...both, ...identity(certificates().stranger) },
      );
      near.resume();
      server.resume();
      await within(server.requestClientCertificate(), 'the certificate');
      await within(server.requestClientCertificate(), 'the certificate, once more');
      assert.deepEqual(seen, Array(3).fill('CN=stranger'));
      await carries(near, server);
    });
  }

  it('post-handshake authentication waits, with data around it', async () => {
    const { verify, answers } = held();
    const { client, server } = await socketPair(
      { ...tls13, ca: certificates().ca.cert, verify },
      { ...tls13, ...identity(certificates().client) },
    );
    let got = '';
    server.on('data', chunk => {
      got += chunk;
    });
    let echoed = '';
    client.on('data', chunk => {
      echoed += chunk;
    });
    client.write('before ');
    const asked = watch(server.requestClientCertificate());
    await until(() => answers.length === 1, 'the question');
    client.write('after');
    // Trap 1: a write would resume the paused read, unanswered.
    server.write('queued');
    await sleep(30);
    assert.equal(asked.outcome.status, 'pending');
    assert.equal(echoed, '');
    answers[0]?.(true);
    await within(asked.promise, 'the certificate');
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
    await until(() => got === 'before after' && echoed === 'queued', 'the data');
  });

  it('post-handshake authentication that is refused ends the connection with the reason', async () => {
    const { client, server } = await socketPair(
      { ...tls13, ca: certificates().ca.cert, verify: async () => 'CERT_REVOKED' },
      { ...tls13, ...identity(certificates().client) },
    );
    const heard = once(client, 'error') as Promise<[Error]>;
    client.resume();
    server.resume();
    await rejected(server.requestClientCertificate(), 'CERT_REVOKED');
    assert.match((await within(heard, 'the alert'))[0].message, /certificate revoked/);
  });

  it('post-handshake authentication that nobody answers closes the connection after its timeout', async () => {
    // On a busy machine the time may be over before the client's certificate has come: then there is more of it.
    for (let timeout = 50; ; timeout *= 4) {
      const { verify, answers } = held();
      const pair = await connectedPair({
        both: tls13,
        client: identity(certificates().client),
        server: { ca: certificates().ca.cert, verify },
      });
      const waiting = watch(pair.client.read());
      await rejected(pair.during(pair.server.requestClientCertificate({ timeout })), codes.timeout);
      if (answers.length === 0 && timeout < patience / 4) continue;
      assert.equal(answers.length, 1);
      assert.equal(pair.server.closed, true);
      answers[0]?.(true);
      await turns(3);
      assert.equal(waiting.outcome.status, 'pending');
      break;
    }
  });

  it('post-handshake authentication: close() while a read of the caller’s memory is paused', async () => {
    const { verify, answers } = held();
    const pair = await connectedPair({
      both: tls13,
      client: identity(certificates().client),
      server: { ca: certificates().ca.cert, verify },
    });
    const memory = Buffer.alloc(1024);
    const reading = watch(pair.server.readInto(memory));
    const asked = watch(pair.server.requestClientCertificate());
    void pair.client.read().catch(() => {});
    pair.flow();
    await until(() => answers.length === 1, 'the question');
    structuredClone(memory.buffer, {
      transfer: memory.byteOffset === 0 && memory.buffer.byteLength === 1024 ? [memory.buffer] : [],
    });
    pair.server.close();
    await rejected(reading.promise, codes.closed);
    await rejected(asked.promise, codes.closed);
    answers[0]?.(true);
    await turns(3);
  });

  it('a renegotiation for the client’s certificate waits, with data crossing it', async () => {
    const { verify, answers } = held();
    const pair = await connectedPair({
      both: tls12,
      client: identity(certificates().client),
      server: { ca: certificates().ca.cert, verify },
    });
    const got: string[] = [];
    const reading = (async () => {
      for await (const chunk of pair.server) got.push(String(chunk));
    })();
    reading.catch(() => {});
    void pair.client.read().catch(() => {});
    const asked = watch(pair.server.requestClientCertificate());
    await pair.client.write('crossing');
    pair.flow();
    await until(() => answers.length === 1, 'the question');
    const writing = watch(pair.server.write('queued'));
    await sleep(10);
    assert.equal(writing.outcome.status, 'pending');
    assert.equal(asked.outcome.status, 'pending');
    answers[0]?.(true);
    await within(asked.promise, 'the certificate');
    await writing.promise;
    assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
    assert.deepEqual(got, ['crossing']);
    await pair.client.write('behind');
    await until(() => got.includes('behind'), 'the data');
  });

  it('a client’s own renegotiation asks its function again', async () => {
    let asked = 0;
    const verify: Verify = async () => {
      asked++;
      await sleep(1);
      return asked < 3 || 'CERT_REVOKED';
    };
    const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: true }, clientSsl: { verify } });
    void pair.server.read().catch(() => {});
    await pair.during(pair.client.renegotiate());
    assert.equal(asked, 2);
    await rejected(pair.during(pair.client.renegotiate()), 'CERT_REVOKED');
  });
});

describe('the verify callback and sessions', () => {
  for (const [version, both] of versions) {
    it(`${version}: a resumed handshake does not ask again, and only the same function’s session is resumed`, async () => {
      let asked = 0;
      const lenient: Verify = () => ++asked > 0;
      const strict: Verify = ({ verifyResult }) => verifyResult.name === 'OK';
      const server = await startServer({ ...both, ...identity(certificates().selfSigned) });
      const sessions: Array<NonNullable<TlsSocket['ssl']['session']>> = [];
      const on = { session: (session: (typeof sessions)[number]) => void sessions.push(session) };
      const first = await connectTo(server.port, { ...both, verify: lenient, on });
      first.resume();
      await until(() => sessions.length > 0, 'a session');
      const session = sessions.at(-1);
      const again = await connectTo(server.port, { ...both, verify: lenient, session });
      assert.equal(again.ssl.sessionReused, true);
      assert.equal(asked, 1);
      await rejected(connectTo(server.port, { ...both, verify: strict, session }), 'ERR_TLS_SESSION_POLICY_MISMATCH');
      await rejected(connectTo(server.port, { ...both, session }), 'ERR_TLS_SESSION_POLICY_MISMATCH');
      await rejected(
        connectTo(server.port, { ...both, verify: lenient, session, servername: 'elsewhere.example' }),
        'ERR_TLS_SESSION_HOST_MISMATCH',
      );
    });

    it(`${version}: a server does not resume what another function accepted`, async () => {
      const calls: string[] = [];
      const context = { ...both, ca: certificates().ca.cert, requestCert: true, ticketKeys: Buffer.alloc(80, 7) };
      const first: Verify = () => calls.push('first') > 0;
      const second: Verify = () => calls.push('second') > 0;
      const pair = async (verify: Verify, session?: NonNullable<TlsSocket['ssl']['session']>) => {
        const made = makePair({
          client: { ...both, ...identity(certificates().stranger) },
          server: { ...context, verify },
          clientSsl: { session },
        });
        let last = session;
        made.client.on('session', got => {
          last = got;
        });
        await made.handshake();
        void made.client.read().catch(() => {});
        await made.pump();
        return { reused: made.client.sessionReused, session: last };
      };
      const { session } = await pair(first);
      assert.ok(session);
      assert.equal((await pair(second, session)).reused, false);
      assert.equal((await pair(first, session)).reused, true);
      assert.deepEqual(calls, ['first', 'second']);
    });
  }
});

describe('the verify callback with foreign peers', () => {
  for (const [version, both, flag] of [
    ['TLSv1.2', tls12, '-tls1_2'],
    ['TLSv1.3', tls13, '-tls1_3'],
  ] as const) {
    it(`${version}: openssl s_client is judged, and hears the alert`, async () => {
      const { client } = certificates();
      const running = await startServer(asking(() => sleep(20, 'CERT_REVOKED'), both));
      const peer = opensslClient(running.port, [flag, '-cert', client.certFile, '-key', client.keyFile]);
      await peer.printed(/certificate revoked/);
      const good = await startServer(asking(() => sleep(20, true), both));
      const accepted = opensslClient(good.port, [flag, '-cert', client.certFile, '-key', client.keyFile]);
      const socket = await good.next();
      assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
      accepted.write('hello\n');
      assert.equal(String((await within(once(socket, 'data'), 'data'))[0]), 'hello\n');
    });

    it(`${version}: openssl s_server sees no certificate of a client that refuses it`, async () => {
      const { client } = certificates();
      const { peer, port } = await opensslServer([flag, '-verify', '1']);
      const verify: Verify = () => sleep(20, 'CERT_UNTRUSTED');
      await rejected(connectTo(port, { ...both, ...identity(client), verify }), 'CERT_UNTRUSTED');
      await peer.printed(/bad certificate|alert/i);
      // With -msg it prints every message: its own Certificate goes out, none comes in.
      assert.doesNotMatch(peer.output, /<<<.*Certificate$/m);
      assert.match(peer.output, /<<<.*ClientHello/);
    });
  }

  for (const [version, both] of versions) {
    it(`${version}: beside verifyMode 'NONE' no answer refuses openssl s_server, and a failure does`, async () => {
      const { port } = await opensslServer(['-rev']);
      const connectBy = (verify: Verify) => connectTo(port, { ...both, verify, verifyMode: 'NONE' });
      const socket = await connectBy(() => sleep(20, 'CERT_UNTRUSTED'));
      assert.deepEqual([socket.authorized, socket.authorizationError], [false, 'CERT_UNTRUSTED']);
      const answer = once(socket, 'data');
      socket.write('hello\n');
      assert.equal(String((await within(answer, 'data'))[0]), 'olleh\n');
      socket.destroy();
      await rejected(
        connectBy(() => Promise.reject(new Error('no store'))),
        'ERR_TLS_VERIFY_CALLBACK',
      );
    });
  }

  it('openssl s_client answers a post-handshake request that waits', async () => {
    const { client } = certificates();
    const running = await startServer({
      ...tls13,
      ca: certificates().ca.cert,
      verify: () => sleep(20, true),
    });
    const peer = opensslClient(running.port, [
      '-tls1_3',
      '-enable_pha',
      '-cert',
      client.certFile,
      '-key',
      client.keyFile,
    ]);
    const socket = await running.next();
    socket.resume();
    await within(socket.requestClientCertificate(), 'the certificate');
    assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
    peer.write('hello\n');
  });

  it('gnutls-cli waits too', async function () {
    needsProgram(this, 'gnutls-cli');
    const { client } = certificates();
    const running = await startServer(asking(() => sleep(20, true)));
    const peer = gnutlsClient(running.port, ['--x509certfile', client.certFile, '--x509keyfile', client.keyFile]);
    const socket = await running.next();
    assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
    peer.write('hello\n');
    assert.match(String((await within(once(socket, 'data'), 'data'))[0]), /hello/);
  });
});
