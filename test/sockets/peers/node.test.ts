// node:tls speaks with node's own OpenSSL: another build, in the same process or another.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const open = new Set<tls.TLSSocket | tls.Server>();

afterEach('ends the sockets of node:tls', () => {
  for (const each of open) each instanceof tls.TLSSocket ? each.destroy() : each.close();
  open.clear();
});

async function nodeClient(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: certificates().ca.cert,
    ...options,
  });
  open.add(socket);
  await within(once(socket, 'secureConnect'), 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

async function nodeServer(options: tls.TlsOptions, onConnection: (socket: tls.TLSSocket) => void): Promise<number> {
  const { cert, key } = certificates().server;
  const server = tls.createServer({ cert, key, ...options }, socket => {
    open.add(socket.on('error', () => {}));
    onConnection(socket);
  });
  open.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

describe('node:tls', () => {
  for (const [version, both] of versions) {
    it(`as our client, ${version}: data both ways, ALPN, clean close`, async () => {
      const { port } = await startServer({ ...both, ALPNProtocols: ['echo'] }, socket => socket.pipe(socket));
      const socket = await nodeClient(port, { ALPNProtocols: ['echo'] });
      assert.equal(socket.getProtocol(), version);
      assert.equal(socket.alpnProtocol, 'echo');
      const echoed = collect(socket);
      socket.end(pattern(1 << 20));
      assert.ok((await within(echoed, 'the echo')).equals(pattern(1 << 20)));
    });

    it(`as our server, ${version}: data both ways, ALPN, clean close`, async () => {
      const port = await nodeServer({ ...both, ALPNProtocols: ['echo'] } as tls.TlsOptions, socket =>
        socket.pipe(socket),
      );
      const socket = await connectTo(port, { ...both, ALPNProtocols: ['echo'] });
      assert.equal(socket.ssl.alpnProtocol, 'echo');
      const echoed = collect(socket);
      socket.end(pattern(1 << 20));
      assert.ok((await within(echoed, 'the echo')).equals(pattern(1 << 20)));
    });

    it(`as our client, ${version}: resumes its session`, async () => {
      const { port, accepted } = await startServer(both, socket => socket.pipe(socket));
      const first = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: certificates().ca.cert });
      open.add(first.on('error', () => {}).resume());
      const [session] = (await within(once(first, 'session'), 'a session')) as [Buffer];
      first.end();
      const second = await nodeClient(port, { session });
      assert.equal(second.isSessionReused(), true);
      await until(() => accepted.length === 2, 'the second connection');
      assert.equal(accepted[1]?.ssl.sessionReused, true);
    });

    it(`as our server, ${version}: we resume its session`, async () => {
      const port = await nodeServer(both as tls.TlsOptions, socket => socket.pipe(socket));
      const first = await connectTo(port);
      first.write('x');
      await within(once(first, 'data'), 'the echo');
      const session = first.ssl.session;
      assert.ok(session);
      const second = await connectTo(port, { session });
      assert.equal(second.ssl.sessionReused, true);
    });
  }

  it('as our client: answers our key updates, requested and not', async () => {
    const { port, next } = await startServer(tls13, socket => socket.pipe(socket));
    const socket = await nodeClient(port);
    const server = await next();
    await server.keyUpdate();
    const { peerUpdated } = await server.keyUpdate({ requestPeer: true });
    let echo = '';
    socket.on('data', data => {
      echo += data;
    });
    // It answers with its next write after it has read the request.
    const writing = setInterval(() => socket.write('x'), 5);
    await within(peerUpdated as Promise<unknown>, 'its answer').finally(() => clearInterval(writing));
    await until(() => echo !== '', 'the echo');
  });

  it('as our client: renegotiates, and answers our request', async () => {
    const { port, next } = await startServer({ ...tls12, clientRenegotiation: true }, socket => socket.pipe(socket));
    const socket = await nodeClient(port);
    const server = await next();
    await within(
      new Promise<void>((resolve, reject) => {
        socket.renegotiate({ rejectUnauthorized: true }, error => (error === null ? resolve() : reject(error)));
        socket.resume();
      }),
      'its renegotiation',
    );
    await until(() => server.ssl.renegotiations === 1, 'ours to know it');
    await within(server.renegotiate(), 'ours');
    assert.equal(server.ssl.renegotiations, 2);
  });

  it('as our server: accepts our renegotiation', async () => {
    const port = await nodeServer(tls12 as tls.TlsOptions, socket => socket.pipe(socket));
    const socket = await connectTo(port);
    await within(socket.renegotiate(), 'a renegotiation');
    socket.end('after it');
    assert.equal(String(await within(collect(socket), 'the echo')), 'after it');
  });

  it('as our server: asks for our certificate, and gets it', async () => {
    const { ca, client } = certificates();
    let subject = '';
    const port = await nodeServer({ requestCert: true, ca: ca.cert }, socket => {
      subject = String(socket.getPeerCertificate().subject?.CN);
      socket.write('x');
    });
    await within(once(await connectTo(port, { cert: client.cert, key: client.key }), 'data'), 'data');
    assert.equal(subject, 'client');
  });

  it('in another process, both roles at once', async () => {
    const { port } = await startServer({}, socket => socket.pipe(socket));
    const { cert, key } = certificates().server;
    const child = nodeScript(
      `
      import tls from 'node:tls';
      import { readFileSync } from 'node:fs';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file));
      const server = tls.createServer({ cert, key }, socket => socket.pipe(socket));
      server.listen(0, '127.0.0.1', () => console.log('listening', server.address().port));
      const socket = tls.connect({ port: ${port}, host: '127.0.0.1', servername: 'localhost', ca });
      socket.end('to our server').on('data', data => console.log(String(data)));
      `,
      { args: [certificates().server.certFile, certificates().server.keyFile, certificates().ca.certFile] },
    );
    assert.ok(cert && key);
    const [, listening] = await child.printed(/listening (\d+)/);
    await child.printed(/to our server/);
    const socket = await connectTo(Number(listening));
    socket.end('to its server');
    assert.equal(String(await within(collect(socket), 'the echo')), 'to its server');
  });
});
