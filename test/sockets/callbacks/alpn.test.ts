// The function onALPN, and the protocols of one connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import tls from 'node:tls';
import {
  type ConnectOptions,
  connect,
  createServer,
  type OnALPN,
  type OpenSslError,
  type ProtocolRequest,
  type ServerOptions,
  Ssl,
  SslContext,
} from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { answerTo, clientHello, helloExtension, protocolList } from '../../support/client-hello.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, serverContext, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { gnutlsClient, opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, type Running, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const failed = 'ERR_TLS_ALPN_CALLBACK';
const offering = (...ALPNProtocols: string[]) => ({ ALPNProtocols });

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

async function refusal(
  onALPN: OnALPN,
  client: Partial<ConnectOptions>,
  server: ServerOptions = {},
): Promise<{ alert: string | undefined; error: OpenSslError }> {
  const running = await startServer({ ...server, onALPN });
  const errors = heard(running);
  const error = (await rejected(connectTo(running.port, client), /^ERR_/)) as unknown as OpenSslError;
  await until(() => errors.length === 1, 'the server to hear of it');
  return { alert: error.alert?.name, error: errors[0] as OpenSslError };
}

describe('onALPN', () => {
  for (const [version, both] of versions) {
    it(`${version}: chooses among what the client offers, at once and by a promise`, async () => {
      for (const later of [false, true]) {
        const requests: ProtocolRequest[] = [];
        const onALPN: OnALPN = request => {
          requests.push(request);
          return later ? sleep(3, 'b') : 'b';
        };
        const { client, server } = await socketPair({ ...both, onALPN }, { ...both, ...offering('a', 'b', 'c') });
        assert.deepEqual([client.ssl.alpnProtocol, server.ssl.alpnProtocol], ['b', 'b']);
        const [request] = requests;
        assert.equal(requests.length, 1);
        assert.deepEqual([request?.protocols, request?.servername], [['a', 'b', 'c'], 'localhost']);
        assert.equal(request?.ssl.side, 'server');
        assert.ok(Object.isFrozen(request.protocols));
      }
    });

    it(`${version}: nothing for an answer ends the handshake with no_application_protocol`, async () => {
      for (const nothing of [undefined, null]) {
        const told = await refusal(() => nothing, { ...both, ...offering('a') }, both);
        assert.equal(told.alert, 'no_application_protocol');
        assert.equal(told.error.code, 'ERR_SSL_NO_APPLICATION_PROTOCOL');
      }
    });

    it(`${version}: who offers nothing is not asked about`, async () => {
      const { client } = await socketPair({ ...both, onALPN: () => assert.fail('asked') }, both);
      assert.equal(client.ssl.alpnProtocol, null);
    });

    it(`${version}: what was not offered is refused, and never sent`, async () => {
      const wrong: unknown[] = ['x', '', 'A', 'a\0', 7, {}, true, ['a'], Buffer.from('a')];
      for (const answer of wrong) {
        const told = await refusal(() => answer as string, { ...both, ...offering('a', 'b') }, both);
        assert.deepEqual([told.alert, told.error.code], ['internal_error', failed], String(answer));
        const cause = told.error.cause as OpenSslError;
        assert.equal(cause.code, 'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT');
        assert.match(cause.message, /did not offer: give one of a, b/);
      }
    });

    it(`${version}: bytes of any value are names`, async () => {
      const name = Buffer.of(0, 0xff, 0x0a, 0x80);
      const longest = 'x'.repeat(255);
      const seen: string[] = [];
      const running = await startServer({
        ...both,
        onALPN: ({ protocols }) => {
          seen.push(...protocols);
          return protocols.at(-1);
        },
      });
      const client = await connectTo(running.port, { ...both, ALPNProtocols: ['a', longest, name] });
      assert.deepEqual(seen, ['a', longest, name.toString('latin1')]);
      const peer = await running.next();
      assert.equal(peer.ssl.alpnProtocol, client.ssl.alpnProtocol);
    });

    it(`${version}: node’s client meets the choice`, async () => {
      const running = await startServer({ ...both, onALPN: () => sleep(3, 'h2') });
      const socket = tls.connect({
        ...{ port: running.port, host: '127.0.0.1', servername: 'localhost', ca: certificates().ca.cert },
        ALPNProtocols: ['http/1.1', 'h2'],
      });
      await within(once(socket, 'secureConnect'), 'the handshake');
      assert.equal(socket.alpnProtocol, 'h2');
      socket.destroy();
    });

    it(`${version}: in a resumed handshake it is asked again`, async () => {
      let answer = 'a';
      const running = await startServer({ ...both, onALPN: () => sleep(2, answer) });
      const first = await connectTo(running.port, { ...both, ...offering('a', 'b') });
      (await running.next()).write('x');
      await within(once(first, 'data'), 'a byte');
      await until(() => first.ssl.session?.resumable === true, 'a session');
      answer = 'b';
      const session = first.ssl.session ?? undefined;
      const second = await connectTo(running.port, { ...both, ...offering('a', 'b'), ...(session && { session }) });
      assert.deepEqual([second.ssl.sessionReused, second.ssl.alpnProtocol], [true, 'b']);
    });

    it(`${version}: beside names, it chooses for the context of the name`, async () => {
      const { cert, key } = certificates().serverRsa;
      const running = await startServer({
        ...both,
        serverNames: { 'a.example': { cert, key } },
        onALPN: ({ servername }) => sleep(2, servername === 'a.example' ? 'b' : 'a'),
      });
      for (const [servername, protocol] of [
        ['a.example', 'b'],
        ['localhost', 'a'],
      ] as const) {
        const options = { ...both, ...offering('a', 'b'), servername, rejectUnauthorized: false };
        assert.equal((await connectTo(running.port, options)).ssl.alpnProtocol, protocol);
      }
    });
  }

  it('is asked once where there is a HelloRetryRequest', async () => {
    let asked = 0;
    const onALPN: OnALPN = () => {
      asked++;
      return sleep(2, 'b');
    };
    const { client } = await socketPair(
      { ...tls13, ecdhCurve: 'P-384', onALPN },
      { ...tls13, ecdhCurve: 'X25519:P-384', ...offering('a', 'b') },
    );
    assert.deepEqual([asked, client.ssl.alpnProtocol], [1, 'b']);
  });

  it('is not asked again by a renegotiation', async () => {
    let asked = 0;
    const { client, server } = await socketPair(
      {
        ...{ ...tls12, clientRenegotiation: true },
        onALPN: () => {
          asked++;
          return 'a';
        },
      },
      { ...tls12, ...offering('a') },
    );
    client.resume();
    server.resume();
    await within(client.renegotiate(), 'the renegotiation');
    assert.equal(asked, 1);
  });

  it('is not asked about an extension that is malformed: OpenSSL refuses it', async () => {
    const running = await startServer({ onALPN: () => assert.fail('asked') });
    for (const body of ['', '00', '0000', '000100', '0003016100', '0003026161ff', '000303ffff']) {
      const hello = clientHello(undefined, [helloExtension(16, Buffer.from(body, 'hex'))]);
      assert.equal(await answerTo(running.port, hello), 50, body);
    }
    const good = clientHello(undefined, [helloExtension(16, protocolList(['a']))]);
    const other = await startServer({ onALPN: () => 'a' });
    assert.equal(await answerTo(other.port, good), 'ServerHello');
  });

  it('stands instead of ALPNProtocols: both are refused where they are given', () => {
    const { cert, key } = certificates().server;
    const options = { cert, key, onALPN: () => 'a', ...offering('a') };
    for (const action of [
      () => new SslContext(options),
      () => createServer(options),
      () => new Ssl(serverContext(), { side: 'server', ...options }),
    ]) {
      assert.match(thrown(action, 'ERR_INVALID_ARG_VALUE').message, /onALPN/);
    }
    for (const wrong of [7, 'a', {}]) {
      thrown(() => new SslContext({ onALPN: wrong as never }), 'ERR_INVALID_ARG_TYPE');
      thrown(() => createServer({ cert, key, onALPN: wrong as never }), 'ERR_INVALID_ARG_TYPE');
    }
  });

  it('of the server goes before that of a ready context, and null asks nobody', async () => {
    const { cert, key } = certificates().server;
    const secureContext = new SslContext({ cert, key, onALPN: () => 'a' });
    const client = offering('a', 'b', 'c');
    const chosen = async (options: ServerOptions) =>
      (await connectTo((await startServer({ secureContext, ...options })).port, client)).ssl.alpnProtocol;
    assert.equal(await chosen({}), 'a');
    assert.equal(await chosen({ onALPN: () => 'b' }), 'b');
    assert.equal(await chosen({ onALPN: null }), null);
    assert.equal(await chosen(offering('c')), 'c');
  });

  it('gives way to protocols of setSecureContext(), and they to it', async () => {
    const { cert, key } = certificates().server;
    const running = await startServer({ onALPN: () => 'a' });
    const chosen = async () => (await connectTo(running.port, offering('a', 'b', 'c'))).ssl.alpnProtocol;
    assert.equal(await chosen(), 'a');
    running.server.setSecureContext({ cert, key });
    assert.equal(await chosen(), 'a');
    running.server.setSecureContext({ cert, key, ...offering('b') });
    assert.equal(await chosen(), 'b');
    running.server.setSecureContext({ cert, key, onALPN: () => 'c' });
    assert.equal(await chosen(), 'c');
  });

  it('openssl s_client, gnutls-cli and curl meet the choice', async function () {
    needsProgram(this, 'gnutls-cli');
    needsProgram(this, 'curl');
    const running = await startServer({ onALPN: ({ protocols }) => sleep(2, protocols.at(-1)) }, socket => {
      socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'));
    });
    for (const flag of ['-tls1_2', '-tls1_3']) {
      const peer = opensslClient(running.port, [flag, '-alpn', 'one,two']);
      await peer.printed(/ALPN protocol: two/);
      await peer.stop();
    }
    const gnutls = gnutlsClient(running.port, ['--alpn=one', '--alpn=two']);
    await gnutls.printed(/Application protocol: two/);
    await gnutls.stop();
    const curl = new Child('curl', [
      '-sSv',
      '--http1.1',
      '--cacert',
      certificates().ca.certFile,
      `https://localhost:${running.port}/`,
    ]);
    await curl.printed(/accepted.*http\/1\.1/i);
  });
});

describe('ALPNProtocols of one connection', () => {
  for (const [version, both] of versions) {
    it(`${version}: go before those of its context, on either side`, async () => {
      const { client, server } = await connectedPair({
        both: { ...both, ...offering('context') },
        clientSsl: offering('x', 'y'),
        serverSsl: offering('y'),
      });
      assert.deepEqual([client.alpnProtocol, server.alpnProtocol], ['y', 'y']);
    });

    it(`${version}: go before the context’s onALPN`, async () => {
      const { client } = await connectedPair({
        both,
        server: { onALPN: () => assert.fail('asked') },
        clientSsl: offering('x', 'y'),
        serverSsl: offering('y'),
      });
      assert.equal(client.alpnProtocol, 'y');
    });

    it(`${version}: with nothing in common the handshake fails`, async () => {
      const pair = connectedPair({ both, clientSsl: offering('x'), serverSsl: offering('y') });
      await rejected(pair, /NO_APPLICATION_PROTOCOL/);
    });
  }

  it('are offered by connect() with a ready context, and openssl s_server chooses', async () => {
    const { port } = await opensslServer(['-alpn', 'two']);
    const secureContext = new SslContext({ ca: certificates().ca.cert });
    const socket = await connect({ port, secureContext, ...offering('one', 'two') });
    assert.equal(socket.ssl.alpnProtocol, 'two');
    socket.destroy();
  });

  it('are refused where they are no names', () => {
    const context = serverContext();
    for (const wrong of ['h2', 7, [''], ['x'.repeat(256)], [7], Buffer.of(2, 0x61)]) {
      thrown(() => new Ssl(context, { side: 'server', ALPNProtocols: wrong as never }), /ERR_INVALID_ARG/);
    }
  });
});
