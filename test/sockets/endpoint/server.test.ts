import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type Server, SslContext, type SslSession, type TlsSocket } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { serverContext, versions } from '../../support/memory-pair.ts';
import { collect, connectTo, type Running, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

interface ClientError extends Error {
  readonly code: string;
}

async function firstClientError(options: object, act: (port: number) => void): Promise<ClientError> {
  const { server, port, accepted } = await startServer(options);
  const failing = once(server, 'tlsClientError');
  const errors: unknown[] = [];
  server.on('error', error => errors.push(error));
  act(port);
  const [error] = (await within(failing, 'tlsClientError')) as [ClientError];
  assert.deepEqual(errors, [], 'never an error of the server');
  assert.equal(accepted.length, 0);
  // And it goes on serving.
  (await connectTo(port)).destroy();
  return error;
}

const say = (text: string | Buffer) => (port: number) => {
  net.connect(port, '127.0.0.1', function (this: net.Socket) {
    this.on('error', () => {}).write(text);
  });
};

describe('Server', () => {
  describe('a handshake that fails is tlsClientError', () => {
    it('plain HTTP', async () => {
      assert.equal((await firstClientError({}, say('GET / HTTP/1.1\r\n\r\n'))).code, 'ERR_SSL_HTTP_REQUEST');
    });

    it('garbage', async () => {
      assert.match((await firstClientError({}, say(Buffer.alloc(100, 0xaa)))).code, /^ERR_SSL_/);
    });

    it('a client that goes at once', async () => {
      const error = await firstClientError({}, port => {
        net.connect(port, '127.0.0.1', function (this: net.Socket) {
          this.end();
        });
      });
      assert.equal(error.code, 'ERR_SSL_UNEXPECTED_EOF');
    });

    it('a client that resets', async () => {
      const error = await firstClientError({}, port => {
        net.connect(port, '127.0.0.1', function (this: net.Socket) {
          this.resetAndDestroy();
        });
      });
      assert.match(error.code, /^ECONNRESET$|^ERR_SSL_UNEXPECTED_EOF$/);
    });

    it('a client that says nothing: handshakeTimeout', async () => {
      const { server, port } = await startServer({ handshakeTimeout: 50 });
      const failing = once(server, 'tlsClientError');
      const silent = net.connect(port, '127.0.0.1');
      const [error] = (await within(failing, 'tlsClientError')) as [ClientError];
      assert.match(error.code, /TIMEOUT/);
      await within(once(silent.resume(), 'close'), 'TCP to close');
    });

    it('clients that say nothing, one after the other: each has its own time, and one that speaks in time is served', async () => {
      // The one that speaks must get through, whatever else the machine has to do.
      const handshakeTimeout = 2000;
      const { server, port, next } = await startServer({ handshakeTimeout });
      const failed: { readonly message: string; readonly port: number; readonly after: number }[] = [];
      server.on('tlsClientError', (error, socket) => {
        failed.push({ message: error.message, port: socket.remotePort ?? 0, after: performance.now() });
      });
      const begun = new Map<number, number>();
      for (let i = 0; i < 3; i++) {
        const before = performance.now();
        const silent = net.connect(port, '127.0.0.1').on('error', () => {});
        await within(once(silent, 'connect'), 'TCP');
        begun.set(silent.localPort ?? 0, before);
        silent.resume();
        await sleep(50);
        if (i === 1) await connectTo(port);
      }
      const served = await next();
      await until(() => failed.length === 3, 'three failures');
      for (const { message, port, after } of failed) {
        const waited = after - (begun.get(port) ?? 0);
        assert.ok(waited > handshakeTimeout - 10, `${message} after ${waited} ms`);
        // It is told whose handshake it was, although the connection is closed.
        assert.match(message, new RegExp(`from 127.0.0.1:${port}:`));
      }
      assert.deepEqual(
        [...begun.keys()],
        failed.map(({ port }) => port),
      );
      await sleep(200);
      assert.equal(served.destroyed, false);
      assert.equal(failed.length, 3);
    });

    it('a server that is closed while a client says nothing tells of no failure afterwards', async () => {
      // Longer than it may take to see the connection.
      const handshakeTimeout = 2000;
      const { server, port } = await startServer({ handshakeTimeout });
      let told = 0;
      server.on('tlsClientError', () => told++);
      const silent = net.connect(port, '127.0.0.1').on('error', () => {});
      await until(() => server.connections === 1, 'a connection');
      server.closeAllConnections();
      await within(once(silent.resume(), 'close'), 'TCP to close');
      await sleep(handshakeTimeout + 100);
      assert.equal(told, 0);
    });

    it('a client that refuses our certificate', async () => {
      const error = await firstClientError({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }, port => {
        void connectTo(port, { ca: certificates().otherCa.cert }).catch(() => {});
      });
      assert.match(error.code, /ALERT_UNKNOWN_CA$/);
    });

    it('a client without the certificate that is wanted', async () => {
      const { server, port } = await startServer({ requestCert: true, ca: certificates().ca.cert });
      const failing = once(server, 'tlsClientError');
      void connectTo(port).catch(() => {});
      const [error] = (await within(failing, 'tlsClientError')) as [ClientError];
      assert.equal(error.code, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    });
  });

  it('client certificates: seen by the server', async () => {
    const { cert, key } = certificates().client;
    const { port, next } = await startServer({ requestCert: true, ca: certificates().ca.cert });
    await connectTo(port, { cert, key });
    const socket = await next();
    assert.equal(socket.authorized, true);
    assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
  });

  it('a client certificate of an unknown CA, where it need not be good: accepted, and what is wrong with it is told', async () => {
    const { ca, stranger } = certificates();
    for (const [version, both] of versions) {
      const { port, next } = await startServer({
        ...both,
        requestCert: true,
        rejectUnauthorized: false,
        ca: ca.cert,
      });
      const client = await connectTo(port, { cert: stranger.cert, key: stranger.key });
      client.write('x');
      const socket = await next();
      await within(once(socket, 'data'), 'data');
      assert.equal(socket.ssl.version, version);
      assert.equal(socket.authorized, false);
      assert.match(String(socket.authorizationError), /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/);
      assert.equal(socket.ssl.peerCertificate?.subject, 'CN=stranger');
    }
  });

  describe('requestCert and rejectUnauthorized belong to the server', () => {
    const wanted = /^ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE$/;
    const unknown = /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/;
    const good = () => identity('client');
    const stranger = () => identity('stranger');

    function identity(name: 'client' | 'stranger' | 'server') {
      const { cert, key } = certificates()[name];
      return { cert, key };
    }

    async function assertRefused(server: Server, port: number, options: object, code: RegExp): Promise<void> {
      const failing = once(server, 'tlsClientError');
      void connectTo(port, options).catch(() => {});
      const [error] = (await within(failing, 'tlsClientError')) as [ClientError];
      assert.match(error.code, code);
    }

    async function assertAccepted(running: Running, options: object, authorized: boolean): Promise<TlsSocket> {
      const client = await connectTo(running.port, options);
      assert.equal((await running.next()).authorized, authorized);
      return client;
    }

    for (const [version, both] of versions) {
      it(`${version}: with a ready context`, async () => {
        const secureContext = serverContext({ ...both, ca: certificates().ca.cert });
        const running = await startServer({ secureContext, requestCert: true, rejectUnauthorized: true });
        await assertRefused(running.server, running.port, {}, wanted);
        await assertRefused(running.server, running.port, stranger(), unknown);
        await assertAccepted(running, good(), true);
        // The context itself does not ask.
        await assertAccepted(await startServer({ secureContext }), good(), false);
      });

      it(`${version}: also against the ready context`, async () => {
        const { ca } = certificates();
        const asking = serverContext({ ...both, ca: ca.cert, requestCert: true });
        const lenient = await startServer({ secureContext: asking, rejectUnauthorized: false });
        await assertAccepted(lenient, {}, false);
        await assertAccepted(lenient, stranger(), false);
        await assertAccepted(lenient, good(), true);
        await assertAccepted(await startServer({ secureContext: asking, requestCert: false }), {}, false);
        const strict = await startServer({
          secureContext: serverContext({ ...both, ca: ca.cert, requestCert: true, rejectUnauthorized: false }),
          rejectUnauthorized: true,
        });
        await assertRefused(strict.server, strict.port, {}, wanted);
        await assertRefused(strict.server, strict.port, stranger(), unknown);
      });

      it(`${version}: a session of a server that does not ask opens no door to one that does`, async () => {
        const secureContext = serverContext({ ...both, ca: certificates().ca.cert });
        const open = await startServer({ secureContext }, socket => socket.end('x'));
        const sessions: SslSession[] = [];
        const client = await connectTo(open.port, { on: { session: session => void sessions.push(session) } });
        await within(collect(client), 'data');
        await until(() => sessions.length > 0, 'a session');
        const session = sessions.at(-1);
        const strict = await startServer({ secureContext, requestCert: true });
        await assertRefused(strict.server, strict.port, { session }, wanted);
        assert.equal((await connectTo(open.port, { session })).ssl.sessionReused, true);
      });
    }

    it('and hold on over setSecureContext', async () => {
      const ca = certificates().ca.cert;
      const own = identity('server');
      const running = await startServer({ ca, requestCert: true });
      const { server, port } = running;
      const contexts = [{ ...own, ca }, serverContext({ ca }), { ...own, ca, requestCert: undefined }];
      for (const context of contexts) {
        server.setSecureContext(context);
        await assertRefused(server, port, {}, wanted);
        await assertAccepted(running, good(), true);
      }
      const lenient = await startServer({ ca, requestCert: true, rejectUnauthorized: false });
      lenient.server.setSecureContext({ ...own, ca });
      await assertAccepted(lenient, stranger(), false);
    });

    it('unless the new options have their own', async () => {
      const ca = certificates().ca.cert;
      const own = identity('server');
      const running = await startServer({ ca, requestCert: true });
      const { server, port } = running;
      server.setSecureContext({ ...own, ca, rejectUnauthorized: false });
      await assertAccepted(running, {}, false);
      server.setSecureContext({ ...own, ca, requestCert: false, rejectUnauthorized: true });
      await assertAccepted(running, good(), false);
      server.setSecureContext({ ...own, ca, requestCert: true });
      await assertRefused(server, port, {}, wanted);
      // What is refused changes nothing.
      thrown(() => server.setSecureContext({ ...own, key: 'no PEM', requestCert: false }), /^ERR_/);
      server.setSecureContext({ ...own, ca });
      await assertRefused(server, port, {}, wanted);
    });

    it('and must be booleans', async () => {
      const secureContext = serverContext();
      for (const wrong of [{ requestCert: 1 }, { rejectUnauthorized: 'false' }]) {
        thrown(() => createServer({ secureContext, ...wrong } as never), 'ERR_INVALID_ARG_TYPE');
      }
      const { server, port } = await startServer();
      for (const wrong of [undefined, null, 7, 'x', [], { requestCert: 'x' }]) {
        thrown(() => server.setSecureContext(wrong as never), 'ERR_INVALID_ARG_TYPE');
      }
      await connectTo(port);
    });
  });

  it('an unverified client on request is handed out as not authorized', async () => {
    const { port, next } = await startServer({
      requestCert: true,
      rejectUnauthorized: false,
      ca: certificates().ca.cert,
    });
    await connectTo(port);
    assert.equal((await next()).authorized, false);
  });

  it('a connection handler that throws harms no other connection', async () => {
    const uncaught: unknown[] = [];
    const previous = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', error => uncaught.push(error));
    try {
      let count = 0;
      const { port } = await startServer({}, socket => {
        if (count++ === 0) throw new Error('thrown on purpose');
        socket.end('fine');
      });
      await connectTo(port);
      const second = await connectTo(port);
      assert.equal(String(await within(collect(second), 'the second')), 'fine');
      await until(() => uncaught.length === 1, 'the uncaught error');
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const listener of previous) process.on('uncaughtException', listener);
    }
  });

  it('listens where it is told, tells where, and not twice', async () => {
    const { cert, key } = certificates().server;
    const server = createServer({ cert, key }, socket => socket.on('error', () => {}));
    assert.equal(server.address(), null);
    await server.listen({ port: 0, host: '::1' });
    const address = server.address() as net.AddressInfo;
    assert.equal(address.family, 'IPv6');
    assert.equal(address.address, '::1');
    await rejected(server.listen({ port: 0 }), /^ERR_/);
    const taken = createServer({ cert, key });
    const refused = await rejected(taken.listen({ port: address.port, host: '::1' }), 'EADDRINUSE');
    assert.ok(refused.message.includes(`[::1]:${address.port}`), refused.message);
    const socket = await connect({ host: '::1', port: address.port, ca: certificates().ca.cert });
    assert.equal(socket.remoteFamily, 'IPv6');
    socket.destroy();
    await server.close();
    await taken.close();
    assert.equal(server.address(), null);
  });

  it('options that contradict each other are refused before any client comes', async () => {
    const { cert, key } = certificates().server;
    const decides = new SslContext({ cert, key, requestCert: true, verify: () => true });
    const contradiction = { rejectUnauthorized: false };
    thrown(() => createServer({ secureContext: decides, ...contradiction }), 'ERR_INVALID_ARG_VALUE');
    const server = createServer({ cert, key, ...contradiction });
    await server.listen({ port: 0, host: '127.0.0.1' });
    thrown(() => server.setSecureContext(decides), 'ERR_INVALID_ARG_VALUE');
    const { port } = server.address() as net.AddressInfo;
    const client = await connect({ host: '127.0.0.1', servername: 'localhost', port, ca: certificates().ca.cert });
    assert.equal(client.authorized, true, 'what there was goes on');
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('on a Unix socket', async () => {
    const { cert, key } = certificates().server;
    const path = join(certificates().folder, 'server.sock');
    const server = createServer({ cert, key }, socket => socket.resume().end('local'));
    await server.listen({ path });
    assert.ok(existsSync(path));
    const socket = await connect({ path, servername: 'localhost', ca: certificates().ca.cert });
    assert.equal(String(await within(collect(socket), 'data')), 'local');
    await server.close();
  });

  it('close stops accepting and waits for those that are connected', async () => {
    const { server, port, next } = await startServer();
    const client = await connectTo(port);
    const accepted = await next();
    let done = false;
    const closing = server.close().then(() => {
      done = true;
    });
    await rejected(connectTo(port), 'ECONNREFUSED');
    assert.equal(done, false);
    accepted.resume();
    client.resume();
    client.end();
    accepted.end();
    await within(closing, 'the server to close');
    await within(server.close(), 'a second close');
  });

  it('listen() while close() waits is refused, and close() ends all the same', async () => {
    const { server, port, next } = await startServer();
    const client = await connectTo(port);
    const accepted = await next();
    const closing = server.close();
    await rejected(server.listen({ port: 0, host: '127.0.0.1' }), 'ERR_TLS_SERVER_CLOSING');
    assert.equal(server.listening, false);
    client.destroy();
    accepted.destroy();
    await within(closing, 'the server to close');
    await server.listen({ port: 0, host: '127.0.0.1' });
    (await connectTo((server.address() as net.AddressInfo).port)).destroy();
  });

  it('listen() right after close() of a server without connections', async () => {
    const { server } = await startServer();
    const closing = server.close();
    await server.listen({ port: 0, host: '127.0.0.1' });
    await within(closing, 'the first close');
    (await connectTo((server.address() as net.AddressInfo).port)).destroy();
  });

  it('unref() before listen(): the process ends; with ref() it goes on', async () => {
    const { certFile, keyFile } = certificates().server;
    const script = `
      import { readFileSync } from 'node:fs';
      import { createServer } from 'system-tls';
      const [cert, key] = process.argv.slice(1, 3).map(file => readFileSync(file));
      const server = createServer({ cert, key });
      server.unref();
      if (process.argv[3] === 'ref') server.ref();
      await server.listen({ port: 0, host: '127.0.0.1' });
      console.log('listening', server.listening);`;
    const unrefed = nodeScript(script, { args: [certFile, keyFile, 'unref'] });
    assert.deepEqual(await within(unrefed.exited, 'the process to end'), { code: 0, signal: null }, unrefed.output);
    assert.match(unrefed.output, /listening true/);
    const kept = nodeScript(script, { args: [certFile, keyFile, 'ref'] });
    await kept.printed(/listening true/);
    let ended = false;
    void kept.exited.then(() => {
      ended = true;
    });
    await sleep(200);
    assert.equal(ended, false);
    await kept.stop();
  });

  it('Symbol.asyncDispose closes', async () => {
    const { cert, key } = certificates().server;
    const server = createServer({ cert, key });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.address() as net.AddressInfo;
    await server[Symbol.asyncDispose]();
    await rejected(connectTo(port), 'ECONNREFUSED');
  });

  it('wrong options are named errors', async () => {
    for (const options of [null, 7, 'x', { cert: 7 }, { handshakeTimeout: -1 }, { handshakeTimeout: 'x' }]) {
      assert.throws(() => createServer(options as never), { code: /^ERR_/ });
    }
    assert.throws(() => createServer({}, 7 as never), { code: 'ERR_INVALID_ARG_TYPE' });
    for (const options of [
      { on: 7 },
      { on: [] },
      { on: { session: 5 } },
      { on: { keylog: 'x' } },
      { allowHalfOpen: 'x' },
      { pauseOnConnect: 1 },
      { onread: 7 },
      { onread: {} },
      { onread: { buffer: Buffer.alloc(8) } },
      { onread: { buffer: 7, callback: () => true } },
      { requestCert: 1 },
      { rejectUnauthorized: 'x' },
    ]) {
      const given = JSON.stringify(options);
      assert.throws(() => createServer(options as never), { code: 'ERR_INVALID_ARG_TYPE' }, given);
    }
    assert.throws(() => createServer({ onread: { buffer: Buffer.alloc(0), callback: () => true } }), {
      code: 'ERR_INVALID_ARG_VALUE',
    });
    const { cert, key } = certificates().server;
    const server = createServer({ cert, key });
    for (const options of [{ port: 70_000 }, { port: 'x' }, { host: 7 }, null]) {
      await rejected(
        Promise.resolve().then(() => server.listen(options as never)),
        /^ERR_/,
      );
    }
    await rejected(server.listen({ port: 0, host: '192.0.2.1' }), 'EADDRNOTAVAIL');
    await server.close();
  });
});
