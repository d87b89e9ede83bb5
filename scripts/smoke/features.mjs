// One use of each feature of the installed package, for a machine that is too slow for the tests. Arguments: certificate and key.
// Prints a line for each, and at the end which OpenSSL and processor it was.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import nodeTls from 'node:tls';
import {
  Bio,
  connect,
  connectDtls,
  createDtlsServer,
  createServer,
  IoPool,
  openssl,
  Ssl,
  SslContext,
} from 'system-tls';
import https from 'system-tls/https';
import tls from 'system-tls/tls';

const [cert, key] = process.argv.slice(2).map(file => readFileSync(file, 'utf8'));
const where = { host: '127.0.0.1', servername: 'localhost', ca: cert };
const bulk = Buffer.alloc(300_000, 'system-tls');

/** @param {import('node:stream').Readable} stream */
async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** @param {object} options @param {(port: number) => Promise<void>} act */
async function withEcho(options, act) {
  const server = createServer({ cert, key, ...options }, socket => {
    socket.on('error', () => {});
    socket.pipe(socket);
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
  try {
    await act(port);
  } finally {
    server.closeAllConnections();
    await server.close();
  }
}

/** @type {Record<string, () => Promise<void>>} */
const features = {
  'isolated from the OpenSSL of node': async () => assert.equal(openssl.isolated, true),

  'both sides, TLS 1.2 and 1.3, a body of 300 kB': async () => {
    for (const version of /** @type {const} */ (['TLSv1.2', 'TLSv1.3'])) {
      await withEcho({ minVersion: version, maxVersion: version }, async port => {
        const socket = await connect({ ...where, port });
        assert.equal(socket.ssl.version, version);
        socket.end(bulk);
        assert.ok((await all(socket)).equals(bulk));
      });
    }
  },

  'on I/O threads': async () => {
    const pool = new IoPool({ threads: 2 });
    await withEcho({ io: pool }, async port => {
      const sockets = await Promise.all([1, 2, 3].map(() => connect({ ...where, port, io: pool })));
      for (const socket of sockets) socket.end(bulk);
      for (const socket of sockets) assert.ok((await all(socket)).equals(bulk));
    });
    await pool.close();
  },

  'key updates of TLS 1.3': async () => {
    await withEcho({}, async port => {
      const socket = await connect({ ...where, port });
      const { peerUpdated } = await socket.keyUpdate({ requestPeer: true });
      socket.write('x');
      await once(socket, 'data');
      await peerUpdated;
      socket.destroy();
    });
  },

  'a renegotiation of TLS 1.2': async () => {
    const server = createServer({ cert, key, maxVersion: 'TLSv1.2' });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const arrival = once(server, 'secureConnection');
    const socket = await connect({ ...where, port });
    socket.resume();
    const [served] = await arrival;
    served.on('error', () => {}).resume();
    await served.ssl.renegotiate();
    assert.equal(served.ssl.renegotiations, 1);
    socket.destroy();
    await server.close();
  },

  'a session is resumed': async () => {
    await withEcho({}, async port => {
      const first = await connect({ ...where, port });
      first.write('x');
      await once(first, 'data');
      const session = first.ssl.session ?? undefined;
      const second = await connect({ ...where, port, ...(session && { session }) });
      assert.equal(second.ssl.sessionReused, true);
      for (const socket of [first, second]) socket.destroy();
    });
  },

  'two connections in memory': async () => {
    const [near, far] = Bio.pair();
    const server = new Ssl(new SslContext({ cert, key }), { side: 'server' });
    const client = new Ssl(new SslContext({ ca: cert }), { side: 'client', host: 'localhost' });
    server.setBio(near, near);
    client.setBio(far, far);
    await Promise.all([server.handshake(), client.handshake()]);
    await client.write('hello');
    assert.equal(String(await server.read()), 'hello');
    for (const ssl of [server, client]) ssl.close();
  },

  DTLS: async () => {
    const server = createDtlsServer({ cert, key }, async ssl => {
      try {
        for await (const message of ssl) await ssl.write(message);
      } catch (error) {
        // The server is closed below, whether or not the client's last word has come.
        assert.equal(/** @type {NodeJS.ErrnoException} */ (error).code, 'ERR_TLS_CLOSED');
      }
    });
    await server.listen({ host: '127.0.0.1', port: 0 });
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    const ssl = await connectDtls({ ...where, port });
    await ssl.write('hello');
    assert.equal(String(await ssl.read({ timeout: 60_000 })), 'hello');
    await ssl.shutdown();
    server.closeAllConnections();
    await server.close();
  },

  'a certificate that is not trusted is refused, and so is another name': async () => {
    await withEcho({}, async port => {
      await assert.rejects(connect({ host: '127.0.0.1', servername: 'localhost', port }));
      await assert.rejects(connect({ ...where, servername: 'elsewhere.example', port }));
    });
  },

  'in the place of node:tls and node:https, with node:tls on the other side': async () => {
    const server = https.createServer({ cert, key }, (_request, response) => response.end('over https'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = /** @type {import('node:net').AddressInfo} */ (server.address());
    for (const client of [tls, nodeTls]) {
      const socket = client.connect({ ...where, port }, () => {
        socket.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      });
      assert.match(String(await all(socket)), /over https$/);
    }
    server.close();
  },
};

for (const [name, use] of Object.entries(features)) {
  await use();
  console.log(`  ✔ ${name}`);
}
console.log(`OpenSSL ${openssl.version}, node ${process.version} on ${process.arch}`);
