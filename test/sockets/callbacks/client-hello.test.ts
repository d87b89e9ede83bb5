// The function onClientHello: what it is shown, what it may answer, and how often it is asked.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHello,
  type ClientHelloSettings,
  type ConnectOptions,
  ja3,
  ja4,
  type OnClientHello,
  type OpenSslError,
  type ServerOptions,
  SslContext,
  type SslSession,
  type TlsSocket,
} from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { answerTo, clientHello, helloExtension, serverNameList } from '../../support/client-hello.ts';
import { causeCode, rejected } from '../../support/errors.ts';
import { makePair, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { resumesNoOtherName } from '../../support/name-sessions.ts';
import { opensslClient } from '../../support/peers.ts';
import { connectTo, type Running, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

type Answer = Awaited<ReturnType<OnClientHello<ClientHelloSettings>>>;

const failed = 'ERR_TLS_CLIENT_HELLO_CALLBACK';
const identity = ({ cert, key }: Identity) => ({ cert, key });
const trusting = (): Partial<ConnectOptions> => ({ ca: [certificates().ca.cert, certificates().selfSigned.cert] });

/** At once, and by a promise. */
const ways = [
  ['at once', (answer: Answer) => () => answer],
  ['by a promise', (answer: Answer) => () => sleep(3, answer)],
] as const;

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

async function meet(
  answer: OnClientHello<ClientHelloSettings>,
  server: ServerOptions = {},
  client: Partial<ConnectOptions> = {},
): Promise<{ client: TlsSocket; server: TlsSocket; running: Running }> {
  const running = await startServer({ ...server, onClientHello: answer });
  const [near, far] = await Promise.all([connectTo(running.port, { ...trusting(), ...client }), running.next()]);
  return { client: near, server: far, running };
}

/** What both sides say of a handshake that fails: the client's alert, the server's error. */
async function refusal(
  answer: OnClientHello<ClientHelloSettings>,
  server: ServerOptions = {},
  client: Partial<ConnectOptions> = {},
): Promise<{ alert: string | undefined; error: OpenSslError }> {
  const running = await startServer({ ...server, onClientHello: answer });
  const errors = heard(running);
  const error = (await rejected(connectTo(running.port, client), /^ERR_|^ECONN/)) as unknown as OpenSslError;
  await until(() => errors.length === 1, 'the server to hear of it');
  return { alert: error.alert?.name, error: errors[0] as OpenSslError };
}

async function sessionOf(client: TlsSocket, server: TlsSocket): Promise<SslSession> {
  server.write('x');
  await within(once(client, 'data'), 'a byte');
  await until(() => client.ssl.session?.resumable === true, 'a session');
  return client.ssl.session as SslSession;
}

describe('onClientHello', () => {
  for (const [version, both] of versions) {
    it(`${version}: is shown the hello, and nothing for an answer goes on`, async () => {
      for (const nothing of [undefined, null]) {
        const shown: ClientHello[] = [];
        const { client } = await meet(
          (hello, { ssl }) => {
            assert.equal(ssl.side, 'server');
            shown.push(hello);
            return nothing;
          },
          both,
          { ...both, ALPNProtocols: ['h2', 'http/1.1'] },
        );
        assert.equal(client.ssl.version, version);
        const [hello] = shown;
        assert.equal(shown.length, 1);
        assert.ok(hello !== undefined && Object.isFrozen(hello));
        assert.deepEqual([hello.serverName, hello.alpn, hello.renegotiation], ['localhost', ['h2', 'http/1.1'], false]);
        assert.equal(hello.supportedVersions.includes(0x0304), version === 'TLSv1.3');
        assert.ok(hello.groups.length > 0 && hello.signatureAlgorithms.includes('rsa_pss_rsae_sha256'));
        assert.match(ja4(hello), version === 'TLSv1.3' ? /^t13d/ : /^t12d/);
        assert.match(ja3(hello), /^[\da-f]{32}$/);
        assert.equal(hello.raw[0], 1);
        assert.equal(hello.raw.length, 4 + hello.raw.readUIntBE(1, 3));
      }
    });

    for (const [how, by] of ways) {
      it(`${version}, ${how}: an alert by each of its names ends the handshake with it`, async () => {
        for (const alert of ['access_denied', 'handshake_failure', 'unrecognized_name', 'insufficient_security']) {
          const told = await refusal(by({ alert }), both, both);
          assert.equal(told.alert, alert);
          assert.deepEqual([told.error.alert?.name, told.error.code], [alert, 'ERR_SSL_CALLBACK_FAILED']);
        }
      });

      it(`${version}, ${how}: a context, and with it its certificate and versions`, async () => {
        const context = new SslContext({ ...identity(certificates().serverRsa), ...both });
        const { client, server } = await meet(by({ context }), {}, {});
        assert.equal(client.ssl.version, version);
        assert.equal(server.ssl.context, context);
        assert.match(client.ssl.peerCertificate?.publicKey.asymmetricKeyType ?? '', /rsa/);
      });

      it(`${version}, ${how}: versions`, async () => {
        const { client } = await meet(by({ minVersion: version, maxVersion: version }));
        assert.equal(client.ssl.version, version);
        const other = version === 'TLSv1.2' ? tls13 : tls12;
        const told = await refusal(by({ minVersion: version, maxVersion: version }), {}, other);
        assert.equal(told.alert, 'protocol_version');
      });

      it(`${version}, ${how}: ciphers`, async () => {
        const ciphers = version === 'TLSv1.2' ? 'ECDHE-ECDSA-CHACHA20-POLY1305' : 'TLS_CHACHA20_POLY1305_SHA256';
        const { client } = await meet(by({ ciphers }), both, both);
        assert.match(client.ssl.cipher?.name ?? '', /CHACHA20/);
      });

      it(`${version}, ${how}: groups`, async () => {
        const { client } = await meet(by({ ecdhCurve: 'P-384' }), both, both);
        assert.match(client.ssl.group ?? '', /384/);
      });

      it(`${version}, ${how}: protocols, instead of the context’s and of onALPN`, async () => {
        const offer = { ...both, ALPNProtocols: ['a', 'b', 'c'] };
        const first = await meet(by({ ALPNProtocols: ['x', 'c', 'a'] }), { ...both, ALPNProtocols: ['b'] }, offer);
        assert.equal(first.client.ssl.alpnProtocol, 'c');
        const second = await meet(by({ ALPNProtocols: ['b'] }), { ...both, onALPN: () => assert.fail('asked') }, offer);
        assert.equal(second.client.ssl.alpnProtocol, 'b');
        const told = await refusal(by({ ALPNProtocols: ['x'] }), { ...both, ALPNProtocols: ['a'] }, offer);
        assert.equal(told.alert, 'no_application_protocol');
      });

      it(`${version}, ${how}: certificate and key`, async () => {
        const { client, server } = await meet(by(identity(certificates().selfSigned)), both, both);
        assert.equal(client.ssl.peerCertificate?.subject, client.ssl.peerCertificate?.issuer);
        assert.equal(server.ssl.certificate?.subject, 'CN=localhost');
        const deep = await meet(by(identity(certificates().deepServer)), both, both);
        assert.equal(deep.client.ssl.peerCertificate?.issuer, 'CN=Intermediate CA');
      });

      it(`${version}, ${how}: a request for the client’s certificate, which is verified`, async () => {
        const asks = by({ requestCert: true });
        const server = { ...both, ca: certificates().ca.cert };
        const { server: far } = await meet(asks, server, { ...both, ...identity(certificates().client) });
        assert.equal(far.ssl.peerCertificate?.subject, 'CN=client');
        assert.equal(far.authorized, true);
        const running = await startServer({ ...server, onClientHello: asks });
        const errors = heard(running);
        const stranger = connectTo(running.port, { ...both, ...identity(certificates().stranger) });
        void stranger.then(socket => socket.resume()).catch(() => {});
        await until(() => errors.length === 1, 'the refusal');
        assert.match(errors[0]?.code ?? '', /UNABLE_TO/);
      });

      it(`${version}, ${how}: a function that verifies`, async () => {
        const seen: string[] = [];
        const asks = by({
          requestCert: true,
          verify: ({ chain }) => {
            seen.push(chain[0]?.subject ?? '');
            return sleep(3, true);
          },
        });
        const { server: far } = await meet(asks, both, { ...both, ...identity(certificates().stranger) });
        assert.deepEqual(seen, ['CN=stranger']);
        assert.equal(far.ssl.verifyResult.name, 'OK');
      });

      it(`${version}, ${how}: no request where the context has one`, async () => {
        const server = { ...both, ca: certificates().ca.cert, requestCert: true };
        const { server: far } = await meet(by({ requestCert: false }), server, both);
        assert.equal(far.ssl.peerCertificate, null);
      });
    }

    it(`${version}: several settings at once`, async () => {
      const { client, server } = await meet(
        () => ({
          context: new SslContext({ ...identity(certificates().serverRsa), minVersion: 'TLSv1.2' }),
          minVersion: version,
          maxVersion: version,
          // OpenSSL takes an ECDSA certificate only on a curve that is among these.
          ecdhCurve: 'P-521:P-256',
          ALPNProtocols: ['x'],
          ...identity(certificates().server),
          requestCert: true,
          verify: () => true,
        }),
        {},
        { ALPNProtocols: ['x'], ...identity(certificates().stranger) },
      );
      const { ssl } = client;
      assert.deepEqual(
        [ssl.version, ssl.alpnProtocol, ssl.peerCertificate?.publicKey.asymmetricKeyType],
        [version, 'x', 'ec'],
      );
      assert.match(ssl.group ?? '', /521/);
      assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
    });

    it(`${version}: what it gives must be possible, and is named where it is not`, async () => {
      const { server: own, client: other } = certificates();
      const client = new SslContext({ method: 'TLS_client' });
      const named = new SslContext({ ...identity(own), serverNames: { 'a.example': identity(own) } });
      const datagrams = new SslContext({ ...identity(own), method: 'DTLS_server' });
      const bad: ReadonlyArray<readonly [unknown, RegExp]> = [
        ['context', /ERR_INVALID_RETURN_VALUE/],
        [7, /ERR_INVALID_RETURN_VALUE/],
        [true, /ERR_INVALID_RETURN_VALUE/],
        [{ alert: 'nonsense' }, /ERR_INVALID_ARG_VALUE/],
        [{ alert: 'close_notify' }, /ERR_INVALID_ARG_VALUE/],
        [{ alert: 40 }, /ERR_INVALID_ARG_VALUE/],
        [{ unknown: 1 }, /ERR_INVALID_ARG_VALUE/],
        [{ serverNames: {} }, /ERR_INVALID_ARG_VALUE/],
        [{ alert: 'access_denied', minVersion: 'TLSv1.2' }, /ERR_INVALID_ARG_VALUE/],
        [{ context: {} }, /ERR_INVALID_ARG_TYPE/],
        [{ context: client }, /ERR_TLS_WRONG_SIDE/],
        [{ context: named }, /ERR_INVALID_ARG_VALUE/],
        [{ context: datagrams }, /ERR_TLS_DTLS/],
        [{ minVersion: 'DTLSv1.2' }, /ERR_TLS_INVALID_PROTOCOL_VERSION/],
        [{ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.2' }, /ERR_TLS_INVALID_PROTOCOL_VERSION/],
        [{ ciphers: 7 }, /ERR_INVALID_ARG_TYPE/],
        [{ ciphers: 'nonsense' }, /ERR_/],
        [{ ecdhCurve: 'nonsense' }, /ERR_/],
        [{ ecdhCurve: 7 }, /ERR_INVALID_ARG_TYPE/],
        [{ ALPNProtocols: 'h2' }, /ERR_INVALID_ARG_TYPE/],
        [{ cert: own.cert }, /ERR_TLS_INVALID_INPUT/],
        [{ cert: own.cert, key: other.key }, /KEY_VALUES_MISMATCH/],
        [{ cert: 'nonsense', key: own.key }, /ERR_/],
        [{ key: own.key }, /ERR_/],
        [{ requestCert: 'yes' }, /ERR_INVALID_ARG_TYPE/],
        [{ verify: 7, requestCert: true }, /ERR_INVALID_ARG_TYPE/],
        [Promise.resolve({ unknown: 1 }), /ERR_INVALID_ARG_VALUE/],
      ];
      for (const [answer, cause] of bad) {
        const told = await refusal(() => answer as Answer, both, both);
        const what = JSON.stringify(answer);
        assert.deepEqual([told.error.code, told.alert], [failed, 'internal_error'], `${what}: ${told.error.stack}`);
        assert.match(causeCode(told.error), cause, what);
        assert.match(told.error.message, /onClientHello/);
      }
    });

    it(`${version}: settings that change verification keep sessions apart`, async () => {
      let answer: Answer;
      const running = await startServer({ ...both, ca: certificates().ca.cert, onClientHello: () => answer });
      const connected = async (session?: SslSession) => {
        const options = { ...both, ...identity(certificates().client), ...(session && { session }) };
        const [client, server] = await Promise.all([connectTo(running.port, options), running.next()]);
        return { client, server };
      };
      const first = await connected();
      const session = await sessionOf(first.client, first.server);
      answer = { requestCert: true };
      const second = await connected(session);
      assert.equal(second.client.ssl.sessionReused, false);
      assert.equal(second.server.ssl.peerCertificate?.subject, 'CN=client');
      const verified = await sessionOf(second.client, second.server);
      const third = await connected(verified);
      assert.equal(third.client.ssl.sessionReused, true);
      assert.equal(third.server.authorized, true);
      answer = { requestCert: true, verify: () => true };
      assert.equal((await connected(verified)).client.ssl.sessionReused, false);
      answer = undefined;
      assert.equal((await connected(verified)).client.ssl.sessionReused, false);
      assert.equal((await connected(session)).client.ssl.sessionReused, true);
    });

    it(`${version}: ciphers resume nothing, which would bring another along`, async () => {
      let answer: Answer;
      const running = await startServer({ ...both, onClientHello: () => answer });
      const connected = (session?: SslSession) =>
        Promise.all([connectTo(running.port, { ...both, ...(session && { session }) }), running.next()] as const);
      const session = await sessionOf(...(await connected()));
      answer = { ciphers: version === 'TLSv1.2' ? 'ECDHE-ECDSA-AES128-SHA256' : 'TLS_AES_128_GCM_SHA256' };
      const [client] = await connected(session);
      assert.equal(client.ssl.sessionReused, false);
      assert.match(client.ssl.cipher?.name ?? '', /128/);
      answer = { ALPNProtocols: ['x'] };
      const [again] = await connected(session);
      assert.equal(again.ssl.sessionReused, true);
    });

    it(`${version}: a session of one name is not resumed under another, where certificates are given`, async () => {
      const running = await startServer({ ...both, onClientHello: () => identity(certificates().server) });
      await resumesNoOtherName(running);
    });

    it(`${version}: is asked before the names, which are not looked up for a context that it gives`, async () => {
      const order: string[] = [];
      const context = new SslContext({ ...identity(certificates().serverRsa), ...both });
      let answer: Answer;
      const running = await startServer({
        ...both,
        serverNames: { 'a.example': identity(certificates().selfSigned) },
        onServerName: name => {
          order.push(name);
          return null;
        },
        onClientHello: ({ serverName }) => {
          order.push(`hello ${serverName}`);
          return answer;
        },
      });
      const subjectUnder = async (servername: string) => {
        const client = await connectTo(running.port, { ...both, servername, rejectUnauthorized: false });
        return client.ssl.peerCertificate;
      };
      assert.equal((await subjectUnder('a.example'))?.issuer, 'CN=localhost');
      await subjectUnder('b.example');
      answer = { context };
      for (const name of ['a.example', 'b.example']) {
        assert.equal((await subjectUnder(name))?.publicKey.asymmetricKeyType, 'rsa');
      }
      answer = { ALPNProtocols: ['x'] };
      assert.equal((await subjectUnder('a.example'))?.issuer, 'CN=localhost');
      const hellos = ['a', 'b', 'a', 'b', 'a'].map(name => `hello ${name}.example`);
      hellos.splice(2, 0, 'b.example');
      assert.deepEqual(order, hellos);
    });

    it(`${version}: many at once, each with its own answer`, async () => {
      const running = await startServer({
        ...both,
        onClientHello: async hello => {
          const number = Number.parseInt(hello.alpn[0] ?? '', 10);
          await sleep(number % 7);
          if (number % 5 === 0) return { alert: 'access_denied' };
          return {
            ALPNProtocols: hello.alpn,
            ...identity(number % 2 === 0 ? certificates().server : certificates().serverRsa),
          };
        },
      });
      const one = async (number: number) => {
        const connecting = connectTo(running.port, { ...both, ALPNProtocols: [`${number}`] });
        if (number % 5 === 0) return void (await rejected(connecting, /ACCESS_DENIED/));
        const { ssl } = await connecting;
        assert.equal(ssl.alpnProtocol, `${number}`);
        assert.equal(ssl.peerCertificate?.publicKey.asymmetricKeyType, number % 2 === 0 ? 'ec' : 'rsa');
      };
      await Promise.all(Array.from({ length: 40 }, (_, number) => one(number)));
    });
  }

  it('goes before setVerify() with a function of its own, a context in its answer does not', async () => {
    const { stranger } = certificates();
    for (const [what, expected] of [
      ['settings', 'answer'],
      ['context', 'setVerify'],
    ] as const) {
      const asked: string[] = [];
      const verifies = (name: string) => () => asked.push(name) > 0;
      const pair = makePair({
        client: identity(stranger),
        server: {
          onClientHello: () => {
            const verification = { requestCert: true, verify: verifies('answer') };
            return what === 'settings'
              ? verification
              : { context: new SslContext({ ...identity(certificates().server), ...verification }) };
          },
        },
      });
      pair.server.setVerify({ verifyMode: 'PEER', verify: verifies('setVerify') });
      await pair.handshake();
      assert.deepEqual(asked, [expected]);
    }
  });

  it('an Ssl that speaks of verification keeps its own, whatever the context in the answer says', async () => {
    const asked: string[] = [];
    const verifies = (name: string) => () => asked.push(name) > 0;
    const context = new SslContext({
      ...identity(certificates().server),
      ...{ requestCert: true, verify: verifies('context') },
    });
    const own = { requestCert: true, verify: verifies('own') };
    for (const serverSsl of [own, {}]) {
      const pair = makePair({
        client: identity(certificates().stranger),
        server: { onClientHello: () => ({ context }) },
        serverSsl,
      });
      await pair.handshake();
    }
    assert.deepEqual(asked, ['own', 'context']);
  });

  it('is asked once where a HelloRetryRequest brings a second hello', async () => {
    for (const [, by] of ways) {
      let asked = 0;
      const messages: string[] = [];
      const answer = by({ ...identity(certificates().serverRsa), ALPNProtocols: ['x'] });
      const { client } = await meet(
        () => {
          asked++;
          return answer();
        },
        { ...tls13, ecdhCurve: 'P-384' },
        {
          ...{ ...tls13, ecdhCurve: 'X25519:P-384', ALPNProtocols: ['x'] },
          on: { message: ({ type }: { type?: string }) => void messages.push(type ?? '') } as never,
        },
      );
      assert.equal(asked, 1);
      assert.equal(client.ssl.alpnProtocol, 'x');
      assert.match(client.ssl.group ?? '', /384/);
      assert.equal(client.ssl.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
    }
  });

  it('is shown what OpenSSL does not know', async () => {
    let shown: ClientHello | undefined;
    const running = await startServer({
      onClientHello: hello => {
        shown = hello;
      },
    });
    const more = [helloExtension(0x2a2a, Buffer.alloc(0)), helloExtension(0x1234, Buffer.from('unknown'))];
    assert.equal(await answerTo(running.port, clientHello(serverNameList('a.example'), more)), 'ServerHello');
    assert.deepEqual(
      shown?.extensions.map(({ type }) => type),
      [0, 10, 11, 13, 0x2a2a, 0x1234],
    );
    assert.equal(String(shown?.extensions.at(-1)?.data), 'unknown');
  });

  it('is not asked about a hello of SSL 2.0, which has none of it: that is refused', async () => {
    let asked = 0;
    const running = await startServer({ onClientHello: () => void asked++ });
    const errors = heard(running);
    // RFC 5246 appendix E.2: version 3.3, two ciphers, no session, a challenge of 16 bytes.
    const start = Buffer.of(1, 3, 3, 0, 6, 0, 0, 0, 16, 0, 0xc0, 0x2f, 0, 0, 0x9c);
    const body = Buffer.concat([start, Buffer.alloc(16, 1)]);
    const hello = Buffer.concat([Buffer.from([0x80, body.length]), body]);
    assert.equal(await answerTo(running.port, hello), 70);
    await until(() => errors.length === 1, 'the server to hear of it');
    assert.equal(asked, 0);
    assert.equal(errors[0]?.code, 'ERR_SSL_UNSUPPORTED_PROTOCOL');
    assert.match(errors[0]?.message ?? '', /SSL 2\.0/);
  });

  it('a renegotiation is shown too: nothing goes on, an alert ends it', async () => {
    for (const [, by] of ways) {
      const shown: boolean[] = [];
      let answer: Answer;
      const { client, server } = await meet(
        ({ renegotiation }) => {
          shown.push(renegotiation);
          return by(answer)();
        },
        { ...tls12, clientRenegotiation: true },
        tls12,
      );
      client.resume();
      server.resume();
      await within(client.renegotiate(), 'the renegotiation');
      await within(server.renegotiate(), 'another by the server');
      assert.deepEqual(shown, [false, true, true]);
      answer = { alert: 'access_denied' };
      const ended = once(server, 'error') as Promise<[OpenSslError]>;
      await rejected(client.renegotiate(), /ACCESS_DENIED/);
      assert.equal((await within(ended, 'the end'))[0].alert?.name, 'access_denied');
    }
  });

  it('a renegotiation changes no settings', async () => {
    let answer: Answer;
    const { client, server } = await meet(() => answer, { ...tls12, clientRenegotiation: true }, tls12);
    client.resume();
    server.resume();
    answer = { ALPNProtocols: ['x'] };
    const ended = once(server, 'error') as Promise<[OpenSslError]>;
    await rejected(client.renegotiate(), /INTERNAL_ERROR/);
    const [error] = await within(ended, 'the end');
    assert.equal(error.code, failed);
    assert.equal(causeCode(error), 'ERR_INVALID_RETURN_VALUE');
  });

  it('settings hold in a renegotiation', async () => {
    let seen = 0;
    const { client, server } = await meet(
      ({ renegotiation }) =>
        renegotiation
          ? null
          : {
              requestCert: true,
              verify: () => ++seen > 0,
              ...identity(certificates().serverRsa),
              ALPNProtocols: ['x'],
            },
      { ...tls12, clientRenegotiation: true },
      { ...tls12, ALPNProtocols: ['x'], ...identity(certificates().stranger) },
    );
    client.resume();
    server.resume();
    await within(client.renegotiate(), 'the renegotiation');
    assert.equal(seen, 2);
    assert.equal(client.ssl.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
  });

  it('openssl s_client and curl get their answers', async function () {
    needsProgram(this, 'curl');
    const agents: string[] = [];
    const running = await startServer(
      {
        onClientHello: async hello => {
          await sleep(3);
          agents.push(ja4(hello).slice(0, 4));
          return { ...identity(certificates().serverRsa), ALPNProtocols: ['http/1.1'] };
        },
      },
      socket =>
        void socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')),
    );
    const peer = opensslClient(running.port, ['-alpn', 'http/1.1']);
    await peer.printed(/ALPN protocol: http\/1\.1/);
    await peer.stop();
    const curl = new Child('curl', [
      '-sS',
      '--cacert',
      certificates().ca.certFile,
      `https://localhost:${running.port}/`,
    ]);
    await curl.printed(/ok/);
    assert.ok(agents.length >= 2 && agents.every(agent => agent === 't13d'));
  });
});
