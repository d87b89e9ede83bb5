// What is particular to I/O threads. That everything else holds on them too is seen by the suites over sockets, which run
// a second time with SYSTEM_TLS_TEST_IO=threads.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { Bio, connect, createServer, IoPool, Ssl, type TlsSocket } from 'system-tls';
import { pattern, sha256 } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { connectDtlsTo, startDtls } from '../../support/dtls.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, serverContext } from '../../support/memory-pair.ts';
import { fdOf, quietPair } from '../../support/quiet-pair.ts';
import { collect, connectTo, type Running, startServer } from '../../support/sockets.ts';
import { settled, sleep, turns, until, within } from '../../support/wait.ts';

const pools: IoPool[] = [];

function makePool(threads = 2): IoPool {
  const pool = new IoPool({ threads });
  pools.push(pool);
  return pool;
}

/** Of ES2024, which the types do not know. */
interface Resizable extends ArrayBuffer {
  resize(length: number): void;
}
const resizable = (length: number): Resizable =>
  Reflect.construct(ArrayBuffer, [length, { maxByteLength: length }]) as Resizable;

function identity(): { cert: string; key: string } {
  const { cert, key } = certificates().server;
  return { cert, key };
}

/** RFC 8446 4 and 5.1; the first two are OpenSSL's own: SSL3_RT_HEADER, SSL3_RT_INNER_CONTENT_TYPE. */
const [recordHeader, innerContentType, handshake, applicationData, keyUpdate] = [256, 257, 22, 23, 24] as const;

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function script(code: string, flags: readonly string[] = []): ReturnType<typeof nodeScript> {
  const { server, ca } = certificates();
  const preamble = `
    import { readFileSync } from 'node:fs';
    import { connect, createServer, IoPool } from 'system-tls';
    const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
    const ignore = () => {};
    const there = { host: '127.0.0.1', ca, servername: 'localhost' };
  `;
  return nodeScript(preamble + code, { flags, args: [server.certFile, server.keyFile, ca.certFile] });
}

describe('IoPool', () => {
  afterEach('closes pools', async () => {
    await within(Promise.all(pools.splice(0).map(pool => pool.close())), 'pools to close');
  });

  describe('refuses', () => {
    for (const threads of [0, -1, 257, 10_000, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      it(`${threads} threads`, () => thrown(() => new IoPool({ threads }), 'ERR_OUT_OF_RANGE'));
    }

    it('what is no number, and no options', () => {
      thrown(() => new IoPool({ threads: '2' as unknown as number }), 'ERR_INVALID_ARG_TYPE');
      const { message } = thrown(() => new IoPool({ threads: 2n as unknown as number }), 'ERR_INVALID_ARG_TYPE');
      assert.equal(message, '"options.threads" must be a number; it is a bigint');
      thrown(() => new IoPool(null as unknown as object), 'ERR_INVALID_ARG_TYPE');
    });

    it('a wrong "this" and a pool that is none', () => {
      const pool = makePool(1);
      thrown(() => Reflect.get(IoPool.prototype, 'threads', {}), 'ERR_INVALID_THIS');
      thrown(() => new Ssl(clientContext(), { side: 'client', io: {} as unknown as IoPool }), 'ERR_INVALID_ARG_TYPE');
      thrown(
        () => new Ssl(clientContext(), { side: 'client', io: Object.create(pool) as IoPool }),
        'ERR_INVALID_ARG_TYPE',
      );
    });

    it('BIOs, and streams that are no socket', async () => {
      const io = makePool(1);
      const ssl = new Ssl(clientContext(), { side: 'client', io });
      const bio = Bio.memory();
      thrown(() => ssl.setBio(bio, bio), 'ERR_TLS_IO_POOL_TRANSPORT');
      ssl.close();
      await rejected(connect({ socket: new PassThrough(), io }), 'ERR_TLS_IO_POOL_TRANSPORT');
      assert.deepEqual(io.connections, [0]);
    });

    it('connections once it is closed', async () => {
      const io = makePool(1);
      await io.close();
      thrown(() => new Ssl(clientContext(), { side: 'client', io }), 'ERR_TLS_CLOSED');
      assert.deepEqual(io.connections, [0]);
      await io.close();
    });
  });

  it('has a thread for each processor but one, unless told otherwise', async () => {
    await using io = new IoPool();
    assert.ok(io.threads >= 1);
    assert.equal(makePool(3).threads, 3);
  });

  it('spreads connections evenly, and forgets them when they end', async () => {
    const io = makePool(4);
    const { port } = await startServer({ io: undefined });
    const sockets = await Promise.all(Array.from({ length: 12 }, () => connectTo(port, { io })));
    assert.deepEqual(io.connections, [3, 3, 3, 3]);
    for (const socket of sockets.slice(0, 6)) socket.destroy();
    await until(() => sum(io.connections) === 6, 'six to be forgotten');
    await Promise.all(Array.from({ length: 6 }, () => connectTo(port, { io })));
    assert.deepEqual(io.connections, [3, 3, 3, 3]);
  });

  describe('operations of an Ssl', () => {
    async function pair(io: IoPool): Promise<{ client: Ssl; server: Ssl }> {
      const [near, far] = await quietPair();
      const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost', io });
      const server = new Ssl(serverContext(), { side: 'server', io });
      client.setFd(fdOf(near));
      server.setFd(fdOf(far));
      await Promise.all([client.connect(), server.accept()]);
      return { client, server };
    }

    it('read, readInto, write, key update, shutdown', async () => {
      const { client, server } = await pair(makePool());
      const data = pattern(300_000);
      const written = client.write(data);
      const target = Buffer.alloc(data.length);
      for (let at = 0; at < data.length; ) at += (await server.readInto(target.subarray(at))) ?? assert.fail('an end');
      await written;
      assert.equal(sha256(target), sha256(data));
      const { peerUpdated } = await client.keyUpdate({ requestPeer: true });
      const reading = client.read();
      await server.write('hello');
      assert.equal(String(await within(reading, 'a read')), 'hello');
      const waiting = server.read();
      await within(peerUpdated as Promise<void>, 'the update of the peer');
      await client.shutdown();
      assert.equal(await within(waiting, 'the end'), null);
      assert.equal(client.version, 'TLSv1.3');
      assert.equal(server.cipher?.name, client.cipher?.name);
      client.close();
      server.close();
    });

    it('what is written to a new connection goes before a shutdown that is asked for at once', async () => {
      const io = makePool();
      const { port, next } = await startServer();
      const [client, server] = await Promise.all([connectTo(port, { io }), next()]);
      const told: (string | undefined)[] = [];
      for (const each of ['one ', 'two ', 'three']) {
        client.write(each, error => told.push((error as NodeJS.ErrnoException | null | undefined)?.code));
      }
      await client.ssl.shutdown();
      assert.equal(String(await collect(server)), 'one two three');
      assert.deepEqual(told, [undefined, undefined, undefined]);
    });

    it('a write behind setShutdown({ sent: true }) is refused, the first one too', async () => {
      const { client, server } = await pair(makePool());
      await client.write('before');
      assert.equal(String(await server.read()), 'before');
      client.setShutdown({ sent: true });
      for (let i = 0; i < 3; i++) await rejected(client.write('behind'), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
      client.close();
      server.close();
    });

    it('promises of writes are kept in order', async () => {
      const { client, server } = await pair(makePool());
      const order: number[] = [];
      await Promise.all([0, 1, 2, 3, 4].map(each => client.write('x').then(() => order.push(each))));
      assert.deepEqual(order, [0, 1, 2, 3, 4]);
      client.close();
      server.close();
    });

    it('a message of DTLS that is too long is refused, and the others arrive', async () => {
      const io = makePool();
      const { port, next } = await startDtls();
      const [client, server] = await Promise.all([connectDtlsTo(port, { io }), next()]);
      for (const [length, good] of [
        [100, true],
        [16_385, false],
        [16_384, true],
        [65_537, false],
        [1, true],
      ] as const) {
        const written = client.write(Buffer.alloc(length));
        await (good ? written : rejected(written, 'ERR_SSL_DTLS_MESSAGE_TOO_BIG'));
        if (good) assert.equal((await within(server.read(), `${length} bytes`))?.length, length);
      }
    });

    it('memory that is transferred while a read waits: nothing is read behind what is lost', async () => {
      const { client, server } = await pair(makePool());
      const target = new Uint8Array(100);
      const reading = server.readInto(target);
      const behind = server.read();
      structuredClone(target.buffer, { transfer: [target.buffer] });
      await client.write('lost');
      await rejected(reading, 'ERR_TLS_BUFFER_DETACHED');
      await rejected(behind, 'ERR_TLS_CLOSED');
      await rejected(server.read(), 'ERR_TLS_CLOSED');
      client.close();
    });

    describe('a large write', () => {
      const size = 5_000_001;
      const readTo = async (ssl: Ssl, hash = createHash('sha256')): Promise<string> => {
        for (let at = 0; ; ) {
          const piece = await within(ssl.read(), 'a piece');
          if (piece === null) return `${at} ${hash.digest('hex')}`;
          at += piece.length;
          hash.update(piece);
        }
      };

      it('is sent in pieces, in the order of the operations around it', async () => {
        const { client, server } = await pair(makePool());
        const [data, second] = [pattern(size), pattern(1_048_577)];
        const whole = Buffer.concat([Buffer.from('before'), data, Buffer.from('after'), second]);
        const reading = readTo(server);
        let updated = false;
        const order: string[] = [];
        const note = (name: string) => () => void order.push(name);
        await Promise.all([
          client.write('before'),
          client.write(data).then(note('large')),
          client.keyUpdate({ requestPeer: true }).then(({ peerUpdated }) => {
            note('keys')();
            updated = peerUpdated !== undefined;
          }),
          client.write('after'),
          client.write(second).then(note('second')),
          client.shutdown().then(note('shutdown')),
        ]);
        assert.deepEqual(order, ['large', 'keys', 'second', 'shutdown']);
        assert.equal(updated, true);
        assert.equal(await reading, `${whole.length} ${sha256(whole)}`);
        client.close();
        server.close();
      });

      it('whose memory is transferred ends the connection, and nothing seems to be complete', async () => {
        const { client, server } = await pair(makePool());
        const data = new Uint8Array(size);
        const writing = client.write(data);
        structuredClone(data.buffer, { transfer: [data.buffer] });
        const reading = readTo(server);
        await rejected(writing, 'ERR_TLS_BUFFER_DETACHED');
        await rejected(client.write('behind the hole'), 'ERR_TLS_BUFFER_DETACHED');
        client.close();
        server.close();
        await rejected(reading, 'ERR_TLS_CLOSED');
      });

      it('is withdrawn whole before it begins, and takes the connection along afterwards', async () => {
        const { client, server } = await pair(makePool());
        const filling = client.write(Buffer.alloc(64 << 20));
        const withdrawn = client.write(Buffer.alloc(size, 1), { timeout: 10 });
        await rejected(withdrawn, 'ERR_TLS_TIMEOUT');
        await rejected(client.write(Buffer.alloc(size), { signal: AbortSignal.timeout(10) }), 'ABORT_ERR');
        client.close();
        await rejected(filling, 'ERR_TLS_CLOSED');
        server.close();
        const other = await pair(makePool());
        await rejected(other.client.write(Buffer.alloc(64 << 20), { timeout: 50 }), 'ERR_TLS_TIMEOUT');
        await rejected(other.client.write('x'), 'ERR_TLS_CLOSED');
        other.server.close();
      });

      it('of a pool that is closed meanwhile fails', async () => {
        const pool = makePool();
        const { client, server } = await pair(pool);
        const writing = client.write(Buffer.alloc(64 << 20));
        await Promise.all([rejected(writing, 'ERR_TLS_CLOSED'), pool.close()]);
        client.close();
        server.close();
      });
    });

    it('memory that is changed after write() was called is sent as it was', async () => {
      const { client, server } = await pair(makePool());
      const data = Buffer.from('before');
      const writing = client.write(data);
      data.fill('x');
      await writing;
      assert.equal(String(await server.read()), 'before');
      client.close();
      server.close();
    });

    it('misuse is the same named error as on the loop, and leaves the connection as it was', async () => {
      const io = makePool();
      const fresh = new Ssl(clientContext(), { side: 'client', io });
      await rejected(fresh.read(), 'ERR_TLS_NO_TRANSPORT');
      fresh.close();
      await rejected(fresh.read(), 'ERR_TLS_CLOSED');
      thrown(() => fresh.cipher, 'ERR_TLS_CLOSED');
      const { client, server } = await pair(io);
      await rejected(client.renegotiate(), 'ERR_SSL_WRONG_SSL_VERSION');
      thrown(() => client.scheduleKeyUpdate('none'), 'ERR_SSL_INVALID_KEY_UPDATE_TYPE');
      thrown(() => client.setFd(0), 'ERR_TLS_HAS_TRANSPORT');
      const [reading] = await Promise.all([server.read(), client.write('alive')]);
      assert.equal(String(reading), 'alive');
      client.close();
      server.close();
    });

    it('an aborted write leaves no hole: what was begun ends the connection, what was not is withdrawn', async () => {
      const { client, server } = await pair(makePool());
      const controller = new AbortController();
      const begun = client.write(Buffer.alloc(20 << 20, 'a'), { signal: controller.signal });
      const queued = client.write(Buffer.alloc(1 << 20, 'b'), { timeout: 20 });
      await rejected(queued, 'ERR_TLS_TIMEOUT');
      controller.abort();
      await rejected(begun, 'ABORT_ERR');
      await rejected(client.write('after'), 'ERR_TLS_CLOSED');
      let received = '';
      const reading = (async () => {
        for await (const chunk of server) received = `${received}${chunk}`.slice(-10);
      })();
      await until(() => received !== '', 'what was sent before');
      await sleep(200);
      assert.match(received, /^a+$/);
      server.close();
      await rejected(reading, 'ERR_TLS_CLOSED');
      assert.match(received, /^a+$/);
    });

    it('a read is withdrawn without loss; close() rejects what is pending', async () => {
      const { client, server } = await pair(makePool());
      await rejected(server.read({ timeout: 20 }), 'ERR_TLS_TIMEOUT');
      await client.write('kept');
      assert.equal(String(await server.read()), 'kept');
      const pending = [server.read(), server.readInto(Buffer.alloc(9)), server.shutdown({ wait: true })];
      server.close();
      for (const each of pending) await rejected(each, 'ERR_TLS_CLOSED');
      client.close();
    });
  });

  describe('writes that wait for a thread together', () => {
    it('are sent before the operation that follows them, and after the one before', async () => {
      const { port, next } = await startServer({ io: makePool() });
      const [client, { ssl }] = await Promise.all([connectTo(port, { io: undefined }), next()]);
      client.resume();
      const [rounds, size] = [60, 5000];
      const overhead = 17; // of a record: the tag, and the type inside
      let [length, bytes] = [0, 0];
      const seen: number[] = [];
      ssl.on('message', ({ direction, contentType, data }) => {
        if (direction !== 'sent') return;
        if (contentType === recordHeader) length = data.readUInt16BE(3) - overhead;
        if (contentType === innerContentType && data[0] === applicationData) bytes += length;
        if (contentType === handshake && data[0] === keyUpdate) seen.push(bytes);
      });
      const all: Promise<unknown>[] = [];
      for (let round = 0; round < rounds; round++) {
        for (let i = 0; i < 3; i++) all.push(ssl.write(Buffer.alloc(size, round)));
        all.push(ssl.keyUpdate());
      }
      await Promise.all(all);
      await until(() => seen.length === rounds, 'all updates');
      assert.deepEqual(
        seen,
        Array.from({ length: rounds }, (_, round) => (round + 1) * 3 * size),
      );
    });

    it('are sent as they were, whatever becomes of their memory, in their order', async () => {
      const { port, next } = await startServer({ io: makePool() });
      const [client, server] = await Promise.all([connectTo(port, { io: makePool() }), next()]);
      const sent = createHash('sha256');
      const memory = Buffer.alloc(200_000);
      const sizes = [1, 4096, 4097, 16_384, 7, 65_535, 65_536, 65_537, 3, 131_073, 200_000];
      const received = collect(client);
      for (let i = 0; i < 300; i++) {
        const part = memory.subarray(0, sizes[(i * 7) % sizes.length]).fill(i);
        sent.update(part);
        const writing = server.ssl.write(part);
        part.fill(255);
        if (i % 5 === 4) await writing;
      }
      server.end();
      assert.equal(sha256(await within(received, 'all of it')), sent.digest('hex'));
    });

    it('end with the connection that is closed before they are sent', async () => {
      const { port, next } = await startServer({ io: makePool() });
      const [client, server] = await Promise.all([connectTo(port, { io: undefined }), next()]);
      client.on('error', () => {}).resume();
      const writes = Array.from({ length: 20 }, () => server.ssl.write(Buffer.alloc(1000)));
      server.ssl.close();
      await Promise.allSettled(writes);
      await rejected(server.ssl.write('x'), 'ERR_TLS_CLOSED');
      await until(() => client.destroyed, 'the end');
    });

    it('of DTLS stay messages of their own', async () => {
      const { port, next } = await startDtls();
      const [client, server] = await Promise.all([connectDtlsTo(port, { io: makePool() }), next()]);
      const messages = Array.from({ length: 20 }, (_, i) => String(i).repeat(i + 1));
      await Promise.all(messages.map(each => client.write(each)));
      const got: string[] = [];
      while (got.length < messages.length) got.push(String(await within(server.read(), 'a message')));
      assert.deepEqual(got, messages);
      client.close();
      server.close();
    });
  });

  it('a slow reader holds its peer back', async () => {
    const io = makePool();
    const { port, next } = await startServer({ io, pauseOnConnect: true });
    const [client, server] = await Promise.all([connectTo(port, { io }), next()]);
    let taken = 0;
    const block = Buffer.alloc(1 << 20, 'slow');
    const send = (): void => {
      while (client.write(block)) taken += block.length;
      taken += block.length;
    };
    client.on('drain', send);
    send();
    const before = await settled(() => taken, 'what was taken', 24 << 20);
    assert.ok(before < 24 << 20, `${before} bytes were taken`);
    let received = 0;
    server.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    await until(() => received > 2 * before, 'it to go on');
  });

  it('writers are ahead of peers that read nothing by a mebibyte each, and by eight together', async () => {
    const io = makePool();
    const block = Buffer.alloc(65_536, 'slow');
    const folder = mkdtempSync(path.join(tmpdir(), 'system-tls-'));
    // Unlike TCP's, the buffer of such a socket does not grow.
    const at = path.join(folder, 'socket');
    const { cert, key } = certificates().server;
    const peers: TlsSocket[] = [];
    const server = createServer({ cert, key, io, pauseOnConnect: true }, socket => {
      peers.push(socket.on('error', () => {}));
    });
    await server.listen({ path: at });
    const takenBy = async (count: number, pool?: IoPool): Promise<number> => {
      let taken = 0;
      const write = async (socket: TlsSocket): Promise<void> => {
        for (;;) {
          await socket.ssl.write(block);
          taken += block.length;
        }
      };
      const clients = await Promise.all(Array.from({ length: count }, () => connectTo(0, { path: at, io: pool })));
      for (const client of clients) write(client).catch(() => undefined);
      await settled(() => taken, 'what was taken', count * (4 << 20));
      for (const socket of [...clients, ...peers.splice(0)]) socket.destroy();
      return taken;
    };
    try {
      const alone = await takenBy(1, io);
      assert.ok(alone >= 1 << 20 && alone < 2 << 20, `${alone} bytes were taken`);
      // Behind the writers: in the socket and in the queue.
      const behind = (await takenBy(1)) + block.length;
      const many = await takenBy(40, io);
      const most = 40 * (behind + (1 << 18)) + (8 << 20);
      assert.ok(many <= most, `${many} bytes were taken, more than ${most}`);
      assert.ok(most < 40 << 20, `${most} bytes are no bound`);
    } finally {
      await server.close();
      rmSync(folder, { recursive: true });
    }
  });

  for (const [how, take] of [
    ['detached', (memory: Resizable) => void structuredClone(memory, { transfer: [memory] })],
    ['shrunk to nothing', (memory: Resizable) => memory.resize(0)],
  ] as const) {
    it(`memory of onread that is ${how} is an error, and no end follows`, async () => {
      const io = makePool();
      const { port, next } = await startServer({ io });
      const memory = resizable(1000);
      let calls = 0;
      const callback = (): void => {
        if (++calls === 3) take(memory);
      };
      const onread = { buffer: new Uint8Array(memory), callback };
      const [client, server] = await Promise.all([connectTo(port, { io, onread }), next()]);
      const ends: string[] = [];
      client.on('end', () => ends.push('end'));
      const failed = once(client, 'error') as Promise<[NodeJS.ErrnoException]>;
      server.on('error', () => {}).end(pattern(100_000));
      const [error] = await within(failed, 'the error');
      assert.equal(error.code, 'ERR_TLS_BUFFER_DETACHED');
      assert.equal(calls, 3);
      await until(() => client.closed, 'the socket to close');
      assert.deepEqual(ends, []);
    });
  }

  it('memory of onread that shrinks is filled as far as it goes', async () => {
    const io = makePool();
    const { port, next } = await startServer({ io });
    const shrinking = resizable(1000);
    const got: Buffer[] = [];
    const buffer = new Uint8Array(shrinking);
    const callback = (length: number, bytes: Uint8Array): void => {
      got.push(Buffer.from(bytes.subarray(0, length)));
      if (got.length === 3) shrinking.resize(10);
    };
    const [client, server] = await Promise.all([connectTo(port, { io, onread: { buffer, callback } }), next()]);
    const ended = once(client, 'end');
    const data = pattern(20_000);
    server.end(data);
    await within(ended, 'the end');
    assert.deepEqual(Buffer.concat(got), data);
    assert.deepEqual(
      got.slice(3, 5).map(each => each.length),
      [10, 10],
    );
  });

  it('what is copied ahead of a thread does not grow with the write', async () => {
    const code = `
      const io = new IoPool({ threads: 1 });
      const server = createServer({ cert, key }, socket => socket.on('error', ignore).resume());
      await server.listen({ port: 0, host: '127.0.0.1' });
      const client = await connect({ ...there, port: server.address().port, io });
      // Filled: pages that nothing has touched count when they are read.
      const block = Buffer.alloc(300e6, 7);
      const before = process.memoryUsage.rss();
      let most = before;
      const timer = setInterval(() => { most = Math.max(most, process.memoryUsage.rss()); }, 2);
      await new Promise((resolve, reject) => client.write(block, error => error ? reject(error) : resolve()));
      clearInterval(timer);
      console.log(Math.round((Math.max(most, process.memoryUsage.rss()) - before) / 2 ** 20));
      process.exit();
    `;
    const child = script(code);
    const { code: status } = await within(child.exited, 'the write');
    assert.equal(status, 0, child.output);
    const grown = Number(child.output);
    assert.ok(grown < 100, `${grown} MiB`);
  });

  it('a write that ends with its worker lets go of its memory', async () => {
    const worker = `
      import { parentPort, workerData } from 'node:worker_threads';
      import { connect, IoPool } from 'system-tls';
      const client = await connect({ ...workerData, io: new IoPool({ threads: 1 }) });
      client.on('error', () => {});
      client.write(Buffer.alloc(20e6));
      setTimeout(() => parentPort.postMessage('under way'), 50);
    `;
    const code = `
      const { Worker } = await import('node:worker_threads');
      const server = createServer({ cert, key, pauseOnConnect: true }, socket => socket.on('error', ignore));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const workerData = { ...there, port: server.address().port };
      for (let i = 0; i < 3; i++) {
        const worker = new Worker(${JSON.stringify(worker)}, { eval: true, workerData });
        await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        await worker.terminate();
      }
      console.log('ended');
      process.exit();
    `;
    const child = script(code);
    const { code: status } = await within(child.exited, 'the workers');
    assert.equal(status, 0, child.output);
    assert.match(child.output, /ended/);
  });

  it('onread fills the memory, and false keeps the rest until resume()', async () => {
    const io = makePool();
    const { port, next } = await startServer({ io });
    const buffer = Buffer.alloc(1000);
    const got: Buffer[] = [];
    let limit = 3;
    const callback = (length: number, memory: Uint8Array): boolean => {
      assert.equal(memory, buffer);
      got.push(Buffer.from(memory.subarray(0, length)));
      return got.length < limit;
    };
    const [client, server] = await Promise.all([connectTo(port, { io, onread: { buffer, callback } }), next()]);
    const data = pattern(100_000);
    server.end(data);
    await until(() => got.length === 3, 'three calls');
    await sleep(50);
    assert.equal(got.length, 3);
    let ended = false;
    client.on('end', () => {
      ended = true;
    });
    limit = 50;
    client.resume();
    await until(() => got.length === 50, 'fifty calls');
    await sleep(20);
    assert.equal(got.length, 50);
    assert.equal(ended, false, 'the end comes behind the data');
    limit = Number.POSITIVE_INFINITY;
    client.resume();
    await until(() => ended, 'the end');
    assert.equal(sha256(Buffer.concat(got)), sha256(data));
  });

  for (const [name, options] of [
    ['buffer', { buffer: Buffer.alloc(1000) }],
    ['lent memory', {}],
  ] as const) {
    describe(`onread with ${name}: a callback that`, () => {
      async function calls(
        size: number,
        act: (client: () => TlsSocket, count: number) => void,
      ): Promise<{ client: TlsSocket; count: () => number; bytes: () => number }> {
        const { port, next } = await startServer({ io: makePool() });
        let count = 0;
        let bytes = 0;
        let client: TlsSocket | undefined;
        const callback = (length: number): boolean => {
          bytes += length;
          count++;
          act(() => client as TlsSocket, count);
          return true;
        };
        client = await connectTo(port, { io: makePool(), onread: { ...options, callback }, pauseOnConnect: true });
        const server = await next();
        server.end(pattern(size));
        client.resume();
        return { client, count: () => count, bytes: () => bytes };
      }

      it('destroys the socket is not called again', async () => {
        const { count } = await calls(1 << 20, client => client().destroy());
        await until(() => count() > 0, 'the first call');
        await sleep(50);
        assert.equal(count(), 1);
      });

      it('pauses is called again after resume()', async () => {
        const { client, count, bytes } = await calls(1 << 20, (socket, number) => {
          if (number === 1) socket().pause();
        });
        await until(() => count() > 0, 'the first call');
        await sleep(50);
        assert.equal(count(), 1);
        client.resume();
        await until(() => bytes() === 1 << 20, 'the rest');
      });
    });
  }

  it('a callback of onread that throws loses nothing', async () => {
    const child = script(`
      let thrown = 0, bytes = 0;
      process.on('uncaughtException', () => thrown++);
      const io = new IoPool({ threads: 2 });
      const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).end(Buffer.alloc(1 << 20)));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const callback = length => { bytes += length; throw new Error('on purpose'); };
      const socket = await connect({ ...server.address(), ...there, io, onread: { buffer: Buffer.alloc(4096), callback } });
      await new Promise(resolve => socket.once('end', resolve));
      console.log(bytes === 1 << 20, thrown > 100);
      process.exit(0);
    `);
    await child.exited;
    assert.match(child.output, /true true/);
  });

  it('ends with its collection when nobody holds it, and not before its connections', async () => {
    const child = script(
      `
      import { readdirSync } from 'node:fs';
      const threads = () => readdirSync('/proc/self/task').length;
      const collect = async () => { for (let i = 0; i < 10; i++) { gc(); await new Promise(resolve => setTimeout(resolve, 10)); } };
      const server = createServer({ cert, key }, socket => socket.on('error', ignore).pipe(socket));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const before = threads();
      for (let i = 0; i < 5; i++) new IoPool({ threads: 4 });
      const socket = await connect({ ...server.address(), ...there, io: new IoPool({ threads: 1 }) });
      await collect();
      socket.write('alive');
      const [chunk] = await new Promise(resolve => socket.once('data', (...args) => resolve(args)));
      console.log(String(chunk), threads() - before);
      process.exit(0);
    `,
      ['--expose-gc'],
    );
    await child.exited;
    assert.match(child.output, /alive 1$/m, child.output);
  });

  it('has no more threads by default than it may have', async () => {
    const child = script(`
      import os from 'node:os';
      import { syncBuiltinESMExports } from 'node:module';
      os.availableParallelism = () => 1000;
      syncBuiltinESMExports();
      const pool = new IoPool();
      console.log('threads', pool.threads);
      await pool.close();
    `);
    await child.exited;
    assert.match(child.output, /threads 256/);
  });

  describe("createServer({ io, data: 'loop' })", () => {
    it('leaves the handshake to the threads, and the data to the loop', async () => {
      const io = makePool();
      const { port, accepted } = await startServer({ io, data: 'loop' }, socket => socket.pipe(socket));
      const client = await connectTo(port, { io: undefined });
      const data = pattern(500_000);
      client.end(data);
      assert.equal(sha256(await within(collect(client), 'the echo')), sha256(data));
      assert.deepEqual(io.connections, [0, 0]);
      await io.close();
      assert.equal(accepted.length, 1);
    });

    it('data that comes with the end of the handshake arrives', async () => {
      const io = makePool();
      const { port, next } = await startServer({ io, data: 'loop' });
      for (let i = 0; i < 30; i++) {
        const client = await connectTo(port, { io: undefined });
        client.end(`early ${i}`);
        assert.equal(String(await within(collect(await next()), 'early data')), `early ${i}`);
      }
    });

    it('a client that goes, or says nothing, while the connection moves', async () => {
      const io = makePool();
      const impatient = await startServer({ io, data: 'loop', handshakeTimeout: 300 });
      const silent = net.connect(impatient.port, '127.0.0.1');
      await within(once(impatient.server, 'tlsClientError'), 'tlsClientError');
      silent.destroy();
      const { port, server } = await startServer({ io, data: 'loop' });
      const going = Array.from({ length: 20 }, () => connectTo(port, { io: undefined }));
      for (const client of await Promise.all(going)) client.destroy();
      await until(() => server.connections === 0, 'all to go');
      // One that was closed on its way to the loop is counted until it has arrived there.
      await until(() => sum(io.connections) === 0, 'the threads to forget them');
    });

    it('refuses another place', async () => {
      const io = makePool();
      await rejected(startServer({ io, data: 'moon' as 'loop' }), 'ERR_INVALID_ARG_VALUE');
      await rejected(startServer({ io, data: 1 as never }), 'ERR_INVALID_ARG_VALUE');
    });

    it('refuses to choose without threads', async () => {
      for (const data of ['loop', 'threads'] as const) {
        const error = await rejected(startServer({ io: undefined, data }), 'ERR_INVALID_ARG_VALUE');
        assert.match(error.message, /options\.data.*options\.io/);
      }
    });
  });

  describe('close()', () => {
    async function connected(io: IoPool): Promise<{ running: Running; clients: TlsSocket[] }> {
      const running = await startServer({ io });
      const clients = await Promise.all(Array.from({ length: 4 }, () => connectTo(running.port, { io })));
      await until(() => running.accepted.length === 4, 'the server to have them');
      return { running, clients };
    }

    it('ends connections with an error, whatever they are at', async () => {
      const io = makePool();
      const { clients, running } = await connected(io);
      const errors: unknown[] = [];
      for (const socket of [...clients, ...running.accepted]) {
        socket.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code));
        socket.write(Buffer.alloc(1 << 20));
        socket.resume();
      }
      await within(io.close(), 'the pool to close');
      await until(() => running.server.connections === 0, 'all to be gone');
      assert.equal(errors.length, 8);
      assert.ok(errors.includes('ERR_TLS_CLOSED'), String(errors));
    });

    it('during handshakes', async () => {
      const io = makePool();
      const { port } = await startServer({ io });
      const connecting = Array.from({ length: 20 }, () => connectTo(port, { io }).catch(error => error as Error));
      await sleep(3);
      await within(io.close(), 'the pool to close');
      for (const outcome of await Promise.all(connecting)) assert.ok(outcome instanceof Error || 'ssl' in outcome);
    });

    for (const data of ['threads', 'loop'] as const) {
      it(`under a server, data on ${data}: it says so once, stops listening and closes`, async () => {
        const io = makePool();
        const { server, port, next } = await startServer({ io, data });
        const events: string[] = [];
        server.on('error', (error: NodeJS.ErrnoException) => events.push(`${error.code}: ${error.message}`));
        server.on('close', () => events.push('close'));
        server.on('tlsClientError', (error: NodeJS.ErrnoException) => events.push(`tlsClientError ${error.code}`));
        const client = await connectTo(port, { io: undefined });
        client.on('error', () => {});
        const socket = await next();
        const closing = io.close();
        assert.equal(server.listening, false);
        assert.equal(server.address(), null);
        await closing;
        await rejected(connectTo(port, { io: undefined }), 'ECONNREFUSED');
        // What has moved to the loop lives on.
        assert.equal(socket.destroyed, data === 'threads');
        socket.destroy();
        await within(server.close(), 'the server to close');
        await until(() => events.includes('close'), 'close');
        assert.equal(events.length, 2, events.join('\n'));
        assert.match(events[0] ?? '', /^ERR_TLS_CLOSED: .*its IoPool was closed.*close the server first/);
        await rejected(server.listen({ port: 0 }), 'ERR_TLS_CLOSED');
        assert.equal(server.listening, false);
      });
    }

    it('under a server whose listener of that throws: an uncaught exception, and the pool closes', async () => {
      const child = script(`
        process.on('uncaughtException', ({ message }) => console.log('uncaught', message));
        const io = new IoPool({ threads: 1 });
        const server = createServer({ cert, key, io });
        await server.listen({ port: 0, host: '127.0.0.1' });
        server.on('error', () => { throw new Error('on purpose'); }).on('close', () => console.log('closed'));
        await io.close();
        console.log('pool closed');
      `);
      assert.deepEqual(await within(child.exited, 'the end'), { code: 0, signal: null }, child.output);
      for (const line of ['uncaught on purpose', 'closed', 'pool closed'])
        assert.match(child.output, new RegExp(`^${line}$`, 'm'));
    });

    it('after its servers, or before one listens: there is nothing to say', async () => {
      const io = makePool();
      const { server } = await startServer({ io });
      const never = createServer({ ...identity(), io });
      for (const each of [server, never]) each.on('error', error => assert.fail(error));
      await server.close();
      await io.close();
      await turns(3);
      await rejected(never.listen({ port: 0 }), 'ERR_TLS_CLOSED');
      await rejected(server.listen({ port: 0 }), 'ERR_TLS_CLOSED');
    });

    it('while a server begins to listen', async () => {
      const io = makePool();
      const server = createServer({ ...identity(), io });
      server.on('error', error => assert.fail(error));
      const listening = server.listen({ port: 0, host: 'localhost' });
      await Promise.all([io.close(), rejected(listening, 'ERR_TLS_CLOSED')]);
      assert.equal(server.listening, false);
    });
  });

  describe('process', () => {
    const bulk = `
      const io = new IoPool({ threads: 2 });
      const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).pipe(socket));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const sockets = await Promise.all(Array.from({ length: 4 }, () => connect({ ...server.address(), ...there, io })));
      for (const socket of sockets) { socket.on('error', ignore).resume(); socket.write(Buffer.alloc(4 << 20)); }
    `;

    for (const delay of [0, 1, 5, 20]) {
      it(`process.exit() ${delay} ms into bulk data on threads`, async () => {
        const child = script(`${bulk} setTimeout(() => process.exit(7), ${delay});`);
        assert.deepEqual(await within(child.exited, 'the end'), { code: 7, signal: null }, child.output);
      });
    }

    it('process.exit() while JavaScript does not let go of the loop', async () => {
      const child = script(`${bulk} const end = Date.now() + 200; while (Date.now() < end); process.exit(7);`);
      assert.deepEqual(await within(child.exited, 'the end'), { code: 7, signal: null }, child.output);
    });

    it('an idle pool, or one with an idle connection that was unref()d, keeps no process running', async () => {
      const child = script(`
        const io = new IoPool({ threads: 2 });
        const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).unref());
        await server.listen({ port: 0, host: '127.0.0.1' });
        const socket = await connect({ ...server.address(), ...there, io });
        socket.on('data', ignore).unref();
        server.unref();
      `);
      assert.deepEqual(await within(child.exited, 'the end'), { code: 0, signal: null }, child.output);
    });

    it('a read that waits keeps it running; what was written is sent before it ends', async () => {
      const { port, next } = await startServer({ io: undefined });
      const child = script(`
        const io = new IoPool({ threads: 1 });
        const socket = await connect({ port: ${port}, ...there, io });
        socket.on('error', ignore);
        socket.write(Buffer.alloc(3 << 20, 'w'));
        socket.once('data', () => socket.destroySoon());
      `);
      const server = await within(next(), 'its connection');
      let received = 0;
      server.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      await until(() => received === 3 << 20, 'all data');
      assert.equal(await Promise.race([child.exited, sleep(200, 'alive')]), 'alive');
      server.write('go');
      assert.deepEqual(await within(child.exited, 'the end'), { code: 0, signal: null }, child.output);
    });
  });
});
