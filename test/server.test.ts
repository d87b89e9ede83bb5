import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { connect, createServer } from 'system-tls';
import { certificates } from './support/certificates.ts';
import { rejected } from './support/errors.ts';
import { collect, connectTo, startServer } from './support/sockets.ts';
import { until, within } from './support/wait.ts';

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
    await rejected(taken.listen({ port: address.port, host: '::1' }), 'EADDRINUSE');
    const socket = await connect({ host: '::1', port: address.port, ca: certificates().ca.cert });
    assert.equal(socket.remoteFamily, 'IPv6');
    socket.destroy();
    await server.close();
    await taken.close();
    assert.equal(server.address(), null);
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
