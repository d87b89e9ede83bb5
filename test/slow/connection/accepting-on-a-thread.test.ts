// A server on I/O threads accepts on one of them: what its clients and its process see of that.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { createServer, IoPool, type Server } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { type Child, nodeScript } from '../../support/child.ts';
import { connectTo } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const descriptors = '/proc/self/fd';
const openDescriptors = (): number => readdirSync(descriptors).length;

async function serving(io: IoPool, options: object = {}): Promise<{ server: Server; port: number }> {
  const { cert, key } = certificates().server;
  const server = createServer({ cert, key, io, ...options }, socket => socket.on('error', () => {}).pipe(socket));
  server.on('tlsClientError', () => {});
  await server.listen({ port: 0, host: '127.0.0.1' });
  return { server, port: (server.address() as net.AddressInfo).port };
}

/** A process that opens so many connections, says when all are there, and nothing else. */
function manyClients(port: number, count: number): Child {
  const script = `
    import net from 'node:net';
    let connected = 0;
    for (let i = 0; i < ${count}; i++) {
      const client = net.connect(${port}, '127.0.0.1', () => { if (++connected === ${count}) console.log('all connected'); });
      client.on('error', () => {});
    }
    setInterval(() => {}, 1000);`;
  return nodeScript(script);
}

/** JavaScript does nothing meanwhile, as in a long computation. */
function block(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}

/** Hands on what a client sends in one piece, `behind` with it, when it has been quiet for a moment. */
async function inOnePiece(port: number, behind: Buffer = Buffer.alloc(0)): Promise<{ proxy: net.Server; via: number }> {
  const proxy = net.createServer(client => {
    const server = net.connect(port, '127.0.0.1').on('error', () => {});
    const held: Buffer[] = [];
    let flights = 0;
    const send = (): void =>
      void server.write(Buffer.concat([...held.splice(0), ...(++flights === 2 ? [behind] : [])]));
    let quiet: NodeJS.Timeout | undefined;
    client
      .on('error', () => {})
      .on('data', data => {
        held.push(data);
        clearTimeout(quiet);
        quiet = setTimeout(send, 50);
      });
    server.on('close', () => client.destroy()).pipe(client);
  });
  await once(proxy.listen(0, '127.0.0.1'), 'listening');
  return { proxy, via: (proxy.address() as net.AddressInfo).port };
}

describe('accepting on an I/O thread', () => {
  let io: IoPool;
  beforeEach('opens a pool', () => {
    io = new IoPool({ threads: 2 });
  });
  afterEach('closes the pool', () => io.close());

  it('knows both addresses of a connection, as on the loop', async () => {
    const { server, port } = await serving(io);
    const accepted = once(server, 'secureConnection');
    const client = await connectTo(port);
    const [socket] = await within(accepted, 'the connection');
    assert.equal(socket.remoteAddress, '127.0.0.1');
    assert.equal(socket.remotePort, client.localPort);
    assert.equal(socket.localAddress, '127.0.0.1');
    assert.equal(socket.localPort, port);
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('tells what came with the end of the handshake when all that follows from that has run', async () => {
    const { server, port } = await serving(io);
    const told: string[] = [];
    server.on('secureConnection', async socket => {
      socket.on('data', (data: Buffer) => told.push(String(data)));
      socket.on('end', () => told.push('end'));
      process.nextTick(() => told.push('tick'));
      await undefined;
      told.push('microtask');
    });
    const { proxy, via } = await inOnePiece(port);
    const client = tls.connect({ port: via, rejectUnauthorized: false }).on('error', () => {});
    client.end('hello');
    await until(() => told.length >= 4, 'all to be told');
    assert.deepEqual(told, ['tick', 'microtask', 'hello', 'end']);
    client.destroy();
    proxy.close();
    await server[Symbol.asyncDispose]();
  });

  it('also what is wrong with it', async () => {
    const { server, port } = await serving(io);
    server.removeAllListeners('secureConnection');
    const failed = new Promise<Error>(resolve => {
      server.on('secureConnection', async socket => {
        await undefined;
        socket.on('error', resolve);
      });
    });
    const { proxy, via } = await inOnePiece(port, Buffer.from('17030300050102030405', 'hex'));
    const client = tls.connect({ port: via, rejectUnauthorized: false }).on('error', () => {});
    const error = (await within(failed, 'the error')) as NodeJS.ErrnoException;
    assert.match(String(error.code), /^ERR_SSL_/);
    client.destroy();
    proxy.close();
    await server[Symbol.asyncDispose]();
  });

  it('leaves clients to the backlog while JavaScript is busy, and serves all of them afterwards', async function () {
    needs(this, process.platform === 'linux', descriptors);
    const count = 400;
    const { server, port } = await serving(io);
    const before = openDescriptors();
    const clients = manyClients(port, count);
    // They come while this thread stands still.
    block(1500);
    const taken = openDescriptors() - before;
    await within(clients.printed(/all connected/), 'the clients to be connected');
    assert.ok(taken <= 160, `${taken} descriptors are open that JavaScript has not heard of`);
    await until(() => server.connections === count, 'all connections to be served');
    server.closeAllConnections();
    await clients.stop();
    await server.close();
  });

  it('leaves no descriptor behind of connections that come while it is closed', async function () {
    needs(this, process.platform === 'linux', descriptors);
    const before = openDescriptors();
    for (let round = 0; round < 20; round++) {
      const { server, port } = await serving(io);
      const clients = Array.from({ length: 20 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
      await once(clients[0] as net.Socket, 'connect');
      block(round % 5);
      const closed = server.close();
      server.closeAllConnections();
      await within(closed, 'the server to close');
      for (const client of clients) client.destroy();
    }
    await until(() => openDescriptors() <= before, 'all descriptors to be closed');
  });

  it('has let go of the port when close() returns, and when the pool is closed', async () => {
    const { server, port } = await serving(io);
    void server.close();
    await server.listen({ port, host: '127.0.0.1' });
    const failed = once(server, 'error');
    await io.close();
    await within(failed, 'the error of a server without its pool');
    const other = net.createServer().listen(port, '127.0.0.1');
    await within(once(other, 'listening'), 'the port to be free');
    other.close();
  });

  it('counts and drops those over maxConnections', async () => {
    const { server, port } = await serving(io, { maxConnections: 1 });
    const client = await connectTo(port);
    const dropped = once(server, 'drop');
    const second = net.connect(port, '127.0.0.1').on('error', () => {});
    await within(Promise.all([dropped, once(second.resume(), 'close')]), 'the second to be dropped');
    assert.equal(server.connections, 1);
    client.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('a process ends whose pools were closed under load', async () => {
    const { certFile, keyFile } = certificates().server;
    const script = `
      import { readFileSync } from 'node:fs';
      import { spawn } from 'node:child_process';
      import { once } from 'node:events';
      import { createServer, IoPool } from 'system-tls';
      const [cert, key] = process.argv.slice(1, 3).map(file => readFileSync(file));
      let port = 0;
      let clients;
      for (let round = 0; round < 30; round++) {
        const io = new IoPool({ threads: 1 });
        const server = createServer({ cert, key, io }, socket => socket.on('error', () => {}).resume());
        server.on('error', () => {}).on('tlsClientError', () => {});
        await server.listen({ port, host: '127.0.0.1' });
        port = server.address().port;
        clients ??= spawn(process.execPath, ['-e', \`
          const one = () => require('tls').connect({ host: '127.0.0.1', port: \${port}, rejectUnauthorized: false })
            .on('error', () => {}).on('close', () => setTimeout(one, 1)).on('secureConnect', function () { this.end('x'); }).resume();
          for (let i = 0; i < 48; i++) one();\`]);
        await new Promise(resolve => setTimeout(resolve, 50 + round));
        await Promise.all([io.close(), server.close()]);
      }
      clients.kill();
      await once(clients, 'exit');
      console.log('nothing is left');`;
    const child = nodeScript(script, { args: [certFile, keyFile] });
    await child.printed(/nothing is left/);
    assert.deepEqual(await within(child.exited, 'the process to end by itself', 10_000), { code: 0, signal: null });
  });

  it('ends with the worker that listens, in the middle of arrivals', async () => {
    const { certFile, keyFile } = certificates().server;
    const code = `
      const { readFileSync } = require('node:fs');
      const { parentPort, workerData } = require('node:worker_threads');
      import('system-tls').then(async ({ createServer, IoPool }) => {
        const [cert, key] = workerData.files.map(file => readFileSync(file));
        const server = createServer({ cert, key, io: new IoPool({ threads: 2 }) });
        server.on('tlsClientError', () => {});
        await server.listen({ port: 0, host: '127.0.0.1' });
        parentPort.postMessage(server.address().port);
      });`;
    for (let round = 0; round < 5; round++) {
      const worker = new Worker(code, { eval: true, workerData: { files: [certFile, keyFile] } });
      const [port] = await within(once(worker, 'message'), 'the worker to listen');
      const clients = Array.from({ length: 50 }, () => net.connect(port, '127.0.0.1').on('error', () => {}));
      await once(clients[0] as net.Socket, 'connect');
      await within(worker.terminate(), 'the worker to end');
      for (const client of clients) client.destroy();
      const other = net.createServer().listen(port, '127.0.0.1');
      await within(once(other, 'listening'), 'the port to be free');
      other.close();
    }
  });
});
