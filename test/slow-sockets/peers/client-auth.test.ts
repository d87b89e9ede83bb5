// A certificate that is asked for when the handshake is over: post-handshake authentication in TLS 1.3, a renegotiation
// in TLS 1.2. Foreign servers ask our client, our server asks foreign clients.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import type { TlsSocket } from 'system-tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import {
  apache,
  apacheModules,
  gnutlsServer,
  hasApacheModules,
  pythonClient,
  selfserv,
  tstclnt,
} from '../../support/client-auth-peers.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { gnutlsClient, pythonServer } from '../../support/peers.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { until, watch, within } from '../../support/wait.ts';

const later = [
  ['TLSv1.2', tls12, { tls: '+VERS-TLS1.2', nss: 'tls1.2:tls1.2' }],
  ['TLSv1.3', tls13, { tls: '+VERS-TLS1.3', nss: 'tls1.3:tls1.3' }],
] as const;

const identity = () => {
  const { cert, key } = certificates().client;
  return { cert, key };
};

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

async function answerTo(request: http.ClientRequest): Promise<Answer> {
  const [response] = (await within(once(request, 'response'), 'the response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, body: String(Buffer.concat(chunks)) };
}

/** One connection for all requests. */
function browser(socket: TlsSocket): (path: string, body?: Buffer) => Promise<Answer> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  Object.assign(agent, { createConnection: () => socket });
  return (path, body) => {
    const method = body === undefined ? 'GET' : 'POST';
    const request = http.request({ agent, path, method, headers: { host: 'localhost' } });
    request.end(body);
    return answerTo(request);
  };
}

describe('a certificate that is asked for later', () => {
  describe('by Apache (<Location> with SSLVerifyClient require)', () => {
    before(function () {
      needsProgram(this, 'apache2');
      needs(this, hasApacheModules(), `no modules of Apache in ${apacheModules}`);
    });

    for (const [version, both] of later) {
      it(`${version}: our client shows it, on the connection that it has`, async () => {
        const { port } = await apache(version);
        const socket = await connectTo(port, { ...both, ...identity() });
        const get = browser(socket);
        const seen = trace(socket.ssl);
        assert.deepEqual(await get('/'), { status: 200, body: 'for all' });
        assert.equal(seen.count(false, handshakeType.certificateRequest), 0);
        assert.deepEqual(await get('/secret/'), { status: 200, body: 'for few' });
        assert.equal(seen.count(false, handshakeType.certificateRequest), 1);
        assert.equal(socket.ssl.renegotiations, version === 'TLSv1.2' ? 1 : 0);
        assert.deepEqual(await get('/secret/'), { status: 200, body: 'for few' });
        assert.equal(seen.count(false, handshakeType.certificateRequest), 1, 'it is asked for once');
      });

      it(`${version}: with a body that crosses the request`, async () => {
        const { port } = await apache(version);
        const post = browser(await connectTo(port, { ...both, ...identity() }));
        assert.deepEqual(await post('/secret/', Buffer.alloc(50_000, 'x')), { status: 200, body: 'for few' });
      });

      it(`${version}: our client without one is refused`, async () => {
        const { port } = await apache(version);
        const get = browser(await connectTo(port, both));
        assert.equal((await get('/')).status, 200);
        const refused = await get('/secret/').catch((error: NodeJS.ErrnoException) => error);
        if (refused instanceof Error) assert.match(String(refused.code), /^ERR_SSL_.*ALERT/);
        else assert.equal(refused.status, 403);
      });

      it(`${version}: a certificate of a stranger is refused`, async () => {
        const { cert, key } = certificates().stranger;
        const { port } = await apache(version);
        const get = browser(await connectTo(port, { ...both, cert, key }));
        assert.equal((await get('/')).status, 200);
        const refused = await get('/secret/').catch((error: NodeJS.ErrnoException) => error);
        if (refused instanceof Error) assert.match(String(refused.code), /^ERR_SSL_.*ALERT|^ERR_SSL_UNEXPECTED_EOF/);
        else assert.equal(refused.status, 403);
      });
    }

    it('TLSv1.3: node:tls cannot show its own', async () => {
      const { port } = await apache('TLSv1.3');
      const options = { port, host: '127.0.0.1', servername: 'localhost', ca: certificates().ca.cert, ...identity() };
      const agent = new https.Agent({ keepAlive: true });
      const get = (path: string) => answerTo(https.get({ ...options, path, agent }));
      assert.equal((await get('/')).status, 200);
      assert.equal((await get('/secret/')).status, 403);
      agent.destroy();
    });
  });

  describe('by gnutls-serv (**REAUTH**)', () => {
    before(function () {
      needsProgram(this, 'gnutls-serv');
    });

    it('TLSv1.3: our client shows it, and data goes on', async () => {
      const { peer, port } = await gnutlsServer(['--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3']);
      const socket = await connectTo(port, { ...tls13, ...identity() });
      const seen = trace(socket.ssl);
      let got = '';
      socket.on('data', (chunk: Buffer) => {
        got += chunk;
      });
      socket.write('**REAUTH**\n');
      await until(() => seen.count(true, handshakeType.certificate) === 1, 'our certificate');
      await peer.printed(/CN=client/);
      socket.write('after it\n');
      await until(() => got.includes('after it'), 'the echo');
    });

    it('TLSv1.3: our client without one is not asked, and is told so', async () => {
      const { port } = await gnutlsServer(['--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3']);
      const socket = await connectTo(port, tls13);
      const seen = trace(socket.ssl);
      const ended = new Promise(resolve => socket.once('close', resolve));
      socket.resume().write('**REAUTH**\n');
      await within(ended, 'the end');
      assert.equal(seen.count(false, handshakeType.certificateRequest), 0);
    });
  });

  describe('by selfserv of NSS (-r -r -r)', () => {
    before(function () {
      needsProgram(this, 'selfserv');
      needsProgram(this, 'certutil');
    });

    for (const [version, both, names] of later) {
      it(`${version}: our client shows it`, async () => {
        const { peer, port } = await selfserv(['-r', '-r', '-r', ...(both === tls13 ? ['-E'] : []), '-V', names.nss]);
        const socket = await connectTo(port, { ...both, ...identity() });
        const seen = trace(socket.ssl);
        let renegotiations = 0;
        socket.on('renegotiate', () => renegotiations++);
        const answer = once(socket, 'data') as Promise<[Buffer]>;
        socket.write('GET / HTTP/1.0\r\n\r\n');
        assert.match(String((await within(answer, 'the answer'))[0]), /^HTTP\/1\.0 200 OK/);
        assert.equal(seen.count(false, handshakeType.certificateRequest), 1);
        assert.equal(renegotiations, version === 'TLSv1.2' ? 1 : 0);
        await peer.printed(/Subject: CN=client/);
      });
    }
  });

  describe('by python3 (verify_client_post_handshake)', () => {
    before(function () {
      needsProgram(this, 'python3');
    });

    it('TLSv1.3: our client without one does not offer it, and python3 says so', async () => {
      const { peer, port } = await pythonServer('pha');
      const socket = await connectTo(port, tls13);
      socket.resume().write('authenticate');
      await peer.printed(/EXTENSION_NOT_RECEIVED/);
    });
  });

  describe('of python3', () => {
    before(function () {
      needsProgram(this, 'python3');
    });

    it('TLSv1.3: our server asks, and data goes on', async () => {
      const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
      const peer = pythonClient(port, true, true);
      const socket = await next();
      const echo = once(socket, 'data');
      socket.write('before');
      await within(echo, 'the echo');
      // It reads, and so answers, when there is something to read.
      await within(socket.requestClientCertificate(), 'the certificate');
      assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
      assert.equal(socket.authorized, true);
      socket.end('after');
      await peer.printed(/got after/);
      await peer.printed(/closed/);
    });

    it('TLSv1.3: that does not offer it is a named error, and the connection lives', async () => {
      const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
      const peer = pythonClient(port, true, false);
      const socket = await next();
      await rejected(socket.requestClientCertificate(), 'ERR_SSL_EXTENSION_NOT_RECEIVED');
      socket.write('still here');
      await peer.printed(/got still here/);
    });

    it('TLSv1.3: that offers it and has none: refused if required, else told', async () => {
      for (const required of [true, false]) {
        const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
        const peer = pythonClient(port, false, true);
        const socket = await next();
        socket.resume();
        const asked = socket.requestClientCertificate({ required });
        if (required) {
          await rejected(asked, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
          await peer.printed(/TLSV13_ALERT_CERTIFICATE_REQUIRED/);
        } else {
          await within(asked, 'the answer');
          assert.equal(socket.ssl.peerCertificate, null);
          socket.end('unknown, but served');
          await peer.printed(/got unknown, but served/);
        }
      }
    });

    it('TLSv1.3: of two requests that wait for one answer without a certificate, the stricter one decides', async () => {
      for (const required of [
        [false, true],
        [true, false],
        [false, false],
      ]) {
        const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
        pythonClient(port, false, true);
        const socket = await next();
        socket.resume();
        const asked = required.map(each => watch(socket.requestClientCertificate({ required: each })).promise);
        for (const [index, each] of asked.entries()) {
          if (required[index]) await rejected(each, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
          // The other was answered before, if a thread sent it before it heard of the strict one.
          else if (required.includes(true))
            await within(
              each.catch(() => undefined),
              'the answer',
            );
          else await within(each, 'the answer');
        }
      }
    });
  });

  describe('of gnutls-cli (--post-handshake-auth)', () => {
    before(function () {
      needsProgram(this, 'gnutls-cli');
    });

    for (const [version, both, names] of later) {
      it(`${version}: our server asks`, async () => {
        const { client } = certificates();
        const { port, next } = await startServer({ ...both, ca: certificates().ca.cert });
        const files = [`--x509certfile=${client.certFile}`, `--x509keyfile=${client.keyFile}`];
        const priority = `--priority=NORMAL:-VERS-ALL:${names.tls}`;
        const peer = gnutlsClient(port, [priority, '--post-handshake-auth', ...files]);
        const socket = await next();
        socket.resume();
        await peer.printed(/Simple Client Mode/);
        await within(socket.requestClientCertificate(), 'the certificate');
        assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
        socket.write('after it\n');
        await peer.printed(/^after it$/m);
      });
    }
  });

  describe('of tstclnt of NSS (-E -n)', () => {
    before(function () {
      needsProgram(this, 'tstclnt');
      needsProgram(this, 'certutil');
    });

    for (const [version, both, names] of later) {
      it(`${version}: our server asks`, async () => {
        const { port, next } = await startServer({ ...both, ca: certificates().ca.cert });
        const peer = tstclnt(port, ['-E', '-n', 'client', '-V', names.nss]);
        peer.write('hello\n');
        const socket = await next();
        await within(once(socket, 'data'), 'its first words');
        await within(socket.requestClientCertificate(), 'the certificate');
        assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
        socket.write('after it\n');
        await peer.printed(/^after it$/m);
      });
    }

    it('TLSv1.3: that does not offer it is a named error', async () => {
      const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
      const peer = tstclnt(port, ['-n', 'client', '-V', 'tls1.3:tls1.3']);
      peer.write('hello\n');
      const socket = await next();
      await within(once(socket, 'data'), 'its first words');
      await rejected(socket.requestClientCertificate(), 'ERR_SSL_EXTENSION_NOT_RECEIVED');
    });
  });

  it('that nobody waits for any more is not demanded of a peer that has none', async function () {
    needsProgram(this, 'python3');
    const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
    const peer = pythonClient(port, false, true);
    const socket = await next();
    peer.signal('SIGSTOP');
    await rejected(socket.requestClientCertificate({ timeout: 50 }), codes.timeout);
    peer.signal('SIGCONT');
    // Its answer comes before the echo.
    const echo = once(socket, 'data');
    socket.write('again');
    await within(echo, 'the echo');
    assert.equal(socket.ssl.peerCertificate, null);
    // Asked again, it is demanded again.
    const asked = socket.requestClientCertificate();
    socket.write('once more');
    await rejected(asked, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  });

  it('of a peer that never answers ends by its timeout, and the connection lives', async function () {
    needsProgram(this, 'python3');
    const { port, next } = await startServer({ ...tls13, ca: certificates().ca.cert });
    const peer = pythonClient(port, true, true);
    const socket = await next();
    socket.resume();
    peer.signal('SIGSTOP');
    await rejected(socket.requestClientCertificate({ timeout: 50 }), codes.timeout);
    peer.signal('SIGCONT');
    socket.write('again');
    await peer.printed(/got again/);
  });
});
