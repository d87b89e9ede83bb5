// `io: true`: one pool for the process, whose threads come and go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { connect, createServer, IoPool, Ssl, type TlsSocket } from 'system-tls';
import tls, { sslOf } from 'system-tls/tls';
import { ByLoad } from '#dist/connection/io-pool.js';
import { certificates, openssl } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext } from '../../support/memory-pair.ts';
import { endsWith, run } from '../../support/scripts.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);
const onShared = (): number => sum(IoPool.shared.connections);
const none = (): Promise<void> => until(() => onShared() === 0, 'the shared pool to be empty');

/** Grows as far as it may whatever machine this is: the parameter is internal. */
const elastic = (most: number, processors = 64): IoPool => new IoPool(new ByLoad({ most, processors }));

const pools: IoPool[] = [];
const loads: Load[] = [];

/** Connections that keep the thread busy on which the server's side of them lives: each negotiates all the time. */
class Load {
  readonly #sockets: TlsSocket[] = [];
  #over = false;

  async begin(port: number, ca: string, count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      const socket = await connect({ port, host: '127.0.0.1', servername: 'localhost', ca });
      socket.on('error', () => {});
      this.#sockets.push(socket);
      void this.#negotiate(socket);
    }
  }

  async #negotiate(socket: TlsSocket): Promise<void> {
    while (!this.#over) await socket.renegotiate().catch(() => sleep(10));
  }

  end(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }
}

function rsa4096(): { cert: string; key: string } {
  const { folder } = certificates();
  const [keyFile, certFile] = [`${folder}/rsa4096.key`, `${folder}/rsa4096.pem`];
  const names = ['-addext', 'subjectAltName=DNS:localhost'];
  openssl(
    ...['req', '-x509', '-newkey', 'rsa:4096', '-nodes', '-keyout', keyFile, '-out', certFile],
    ...['-days', '3', '-subj', '/CN=localhost', ...names],
  );
  return { cert: openssl('x509', '-in', certFile), key: openssl('pkey', '-in', keyFile) };
}

describe('io: true', () => {
  afterEach(none);

  it('is one pool for connect(), createServer(), Ssl and the drop-in', async () => {
    const before = onShared();
    const { server, port } = await startServer({ io: true });
    const socket = await connectTo(port, { io: true });
    assert.equal(onShared(), before + 2);
    assert.ok(IoPool.shared.threads >= 1);
    const { ca } = certificates();
    const other = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca: ca.cert, io: true });
    await within(once(other, 'secureConnect'), 'the drop-in');
    assert.equal(onShared(), before + 4);
    assert.ok(sslOf(other)?.exportKeyingMaterial(32, 'where', Buffer.alloc(0)) instanceof Promise);
    const ssl = new Ssl(clientContext(), { side: 'client', io: true });
    assert.equal(onShared(), before + 5);
    const same = await connectTo(port, { io: IoPool.shared });
    assert.equal(onShared(), before + 7);
    ssl.close();
    for (const each of [socket, other, same]) each.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('false is the loop', async () => {
    const { server, port } = await startServer({ io: false });
    const socket = await connectTo(port, { io: false });
    assert.equal(onShared(), 0);
    assert.ok(Buffer.isBuffer(socket.ssl.exportKeyingMaterial(32, 'where', Buffer.alloc(0))));
    socket.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('has the meaning of a pool for data, and refuses what a pool refuses', async () => {
    const { server, port } = await startServer({ io: true, data: 'loop' }, socket => socket.resume());
    const socket = await connectTo(port, { io: false });
    socket.end('x');
    await within(once(socket.resume(), 'close'), 'the end');
    await server[Symbol.asyncDispose]();
    thrown(() => createServer({ io: false, data: 'loop' }), 'ERR_INVALID_ARG_VALUE');
    const duplex = { socket: new (await import('node:stream')).PassThrough(), io: true } as const;
    await rejected(connect(duplex), 'ERR_TLS_IO_POOL_TRANSPORT');
  });

  it('anything else is refused, before anything begins', async () => {
    const message = /^"options\.io" must be an IoPool, true or false; it is /;
    for (const wrong of ['yes', 'auto', 0, 1, {}, [], () => true, Symbol('io'), 1n, { threads: 1 }]) {
      const io = wrong as unknown as boolean;
      const refusals = [
        thrown(() => createServer({ io }), 'ERR_INVALID_ARG_TYPE'),
        thrown(() => new Ssl(clientContext(), { side: 'client', io }), 'ERR_INVALID_ARG_TYPE'),
        thrown(() => tls.connect({ port: 1, io }), 'ERR_INVALID_ARG_TYPE'),
        await rejected(connect({ port: 1, io }), 'ERR_INVALID_ARG_TYPE'),
      ];
      for (const error of refusals) assert.match(error.message, message);
    }
    assert.equal(onShared(), 0);
  });

  it('cannot be closed by one of those who share it', async () => {
    const { server, port } = await startServer({ io: true });
    const socket = await connectTo(port, { io: true });
    for (const close of [() => IoPool.shared.close(), () => IoPool.shared[Symbol.asyncDispose]()]) {
      const error = await rejected(close(), 'ERR_TLS_IO_POOL_SHARED');
      assert.match(error.message, /use a "new IoPool\(\)"/);
    }
    assert.equal(onShared(), 2);
    socket.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('is there to be looked at before there is a thread', async () => {
    const child = run(`
      console.log(IoPool.shared.threads, IoPool.shared.connections, IoPool.shared === IoPool.shared);
      const server = createServer({ cert, key, io: true });
      console.log(IoPool.shared.threads);
      await server.listen({ port: 0, host: '127.0.0.1' });
      console.log(IoPool.shared.threads);
      await server.close();`);
    await endsWith(child, 0, 'the script');
    assert.deepEqual(child.output.trim().split('\n'), ['0 [] true', '0', '1']);
  });

  it('ends with the process: by its own end, by process.exit(), and with connections under way', async () => {
    for (const last of ['server.close(); socket.destroy();', 'process.exit();', 'server.unref(); socket.unref();']) {
      const child = run(`
        const server = createServer({ cert, key, io: true }, socket => {
          socket.on('error', ignore);
          if (${last.startsWith('server.unref')}) socket.unref();
          socket.resume();
        });
        await server.listen({ port: 0, host: '127.0.0.1' });
        const { port } = server.address();
        const socket = await connect({ host: '127.0.0.1', port, ca, servername: 'localhost', io: true });
        socket.on('error', ignore);
        ${last}`);
      await endsWith(child, 0, last);
      assert.equal(child.output, '');
    }
  });

  it('has SYSTEM_TLS_IO_THREADS threads, from the start; what is no number of them is refused with io: true', async () => {
    const source = `
      import { connect, IoPool } from 'system-tls';
      const failed = await connect({ port: 1, io: true }).catch(error => error.code + ' ' + error.message);
      console.log(/ECONNREFUSED/.test(failed) ? IoPool.shared.threads : failed);
      await connect({ port: 1 }).catch(error => console.log(error.code));`;
    const output = async (value: string): Promise<string[]> => {
      const child = nodeScript(source, { env: { SYSTEM_TLS_IO_THREADS: value } });
      await endsWith(child, 0, 'the script');
      return child.output.trim().split('\n');
    };
    assert.deepEqual(await output('3'), ['3', 'ECONNREFUSED']);
    assert.deepEqual(await output(''), ['1', 'ECONNREFUSED']);
    for (const value of ['0', '257', 'two', '-1', '1.5']) {
      const [first, second] = await output(value);
      assert.match(first ?? '', /^ERR_INVALID_ARG_VALUE .*SYSTEM_TLS_IO_THREADS.* from 1 to 256/);
      assert.equal(second, 'ECONNREFUSED');
    }
  });

  it('is a pool of its own in a worker, which ends with it', async () => {
    const { server, port } = await startServer({ io: true });
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      import('system-tls').then(async ({ connect, IoPool }) => {
        const socket = await connect({ ...workerData, io: true });
        socket.on('error', () => {});
        parentPort.postMessage(IoPool.shared.connections);
      });`;
    const { cert: ca } = certificates().ca;
    const workerData = { port, host: '127.0.0.1', servername: 'localhost', ca };
    const worker = new Worker(source, { eval: true, workerData });
    const [connections] = (await within(once(worker, 'message'), 'the worker')) as [number[]];
    assert.deepEqual(connections, [1]);
    assert.equal(onShared(), 1);
    await within(worker.terminate(), 'its end');
    await server[Symbol.asyncDispose]();
  });

  it('fails the connection that would need a thread that the system refuses, and has one when it can', async () => {
    const child = run(`
      import { execFileSync } from 'node:child_process';
      import { closeSync, openSync } from 'node:fs';
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
      const there = { host: '127.0.0.1', port: 1, ca, servername: 'localhost', io: true };
      const held = [];
      try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
      console.log(await connect(there).catch(error => error.code), IoPool.shared.threads);
      for (const fd of held) closeSync(fd);
      console.log(await connect(there).catch(error => error.code), IoPool.shared.threads);`);
    await endsWith(child, 0, 'the script');
    assert.deepEqual(child.output.trim().split('\n'), ['EMFILE 0', 'ECONNREFUSED 1']);
  });
});

describe('a pool that grows by load', () => {
  afterEach('ends the load, and closes pools', async () => {
    for (const load of loads.splice(0)) load.end();
    for (const pool of pools.splice(0)) await pool.close();
  });

  /** A server there, under four clients that make it sign by RSA-4096 all the time. */
  async function flooded(io: IoPool) {
    const { cert, key } = rsa4096();
    pools.push(io);
    const options = { cert, key, io, maxVersion: 'TLSv1.2', clientRenegotiation: { limit: 1e6, window: 1 } } as const;
    const { server, port } = await startServer(options);
    const load = new Load();
    loads.push(load);
    await load.begin(port, cert, 4);
    return { server, port, load, cert };
  }

  it('never has more threads than it may, gives new connections to the one with room, and loses the one that nobody needs', async () => {
    const io = elastic(2);
    const { server, port, load, cert } = await flooded(io);
    assert.deepEqual(io.connections, [4]);
    await until(() => io.threads === 2, 'a second thread');
    for (let second = 0; second < 3; second++) {
      await sleep(1000);
      assert.equal(io.threads, 2);
    }

    const quiet = await Promise.all(Array.from({ length: 12 }, () => connectTo(port, { ca: cert, io: undefined })));
    // By their number alone they would be 8 and 8.
    const [busy = 0, free = 0] = io.connections;
    assert.ok(busy <= 6 && busy + free === 16, String(io.connections));

    load.end();
    for (const socket of quiet) socket.destroy();
    await until(() => io.threads === 1, 'the second thread to end');
    assert.deepEqual(io.connections, [0]);
    const again = await connectTo(port, { ca: cert, io: undefined });
    assert.deepEqual(io.connections, [1]);
    again.destroy();
    await server[Symbol.asyncDispose]();
  });

  it('does not grow while no processor is free for it', async () => {
    const io = elastic(2, 1);
    const { server, load } = await flooded(io);
    await sleep(4000);
    assert.deepEqual(io.connections, [4]);
    load.end();
    await server[Symbol.asyncDispose]();
  });
});
