// Much data in large records, which OpenSSL takes from the socket by itself: however it is cut, and however it ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import type { TlsSocket } from 'system-tls';
import { pattern, sha256 } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { collect, connectTo, pool, startServer } from '../../support/sockets.ts';
import { sleep, within } from '../../support/wait.ts';

const size = 4 << 20;
const sent = pattern(size);

/** What the network does to the server's bytes. */
interface Network {
  /** How many bytes are passed on at a time. */
  readonly cut?: (() => number) | undefined;
  /** Bytes after which `finally` happens. */
  readonly until?: number;
  readonly finally?: (toClient: net.Socket) => void;
  /** Which byte is changed. */
  readonly spoil?: number;
}

const relays = new Set<net.Server>();

function spoilt(chunk: Buffer, at: number): Buffer {
  if (at >= 0 && at < chunk.length) chunk[at] = 255 - (chunk[at] as number);
  return chunk;
}

/** Passes the server's bytes on; false: no further. */
async function pass(toServer: net.Socket, toClient: net.Socket, network: Network): Promise<boolean> {
  const { cut = () => 1 << 20, until = Number.POSITIVE_INFINITY, spoil = -1 } = network;
  let passed = 0;
  for await (const chunk of toServer as AsyncIterable<Buffer>) {
    let rest = spoilt(chunk, spoil - passed);
    while (rest.length > 0) {
      const piece = rest.subarray(0, Math.min(cut(), until - passed));
      rest = rest.subarray(piece.length);
      passed += piece.length;
      if (toClient.destroyed) return false;
      if (!toClient.write(piece)) await Promise.race([once(toClient, 'drain'), once(toClient, 'close')]);
      if (passed === until) return false;
    }
  }
  return true;
}

/** The port of a relay to `port`. */
async function relay(port: number, network: Network): Promise<number> {
  const server = net.createServer(async toClient => {
    const toServer = net.connect(port, '127.0.0.1');
    for (const each of [toClient, toServer]) each.setNoDelay(true).on('error', () => each.destroy());
    toClient.on('close', () => toServer.destroy());
    toClient.pipe(toServer);
    if (await pass(toServer, toClient, network).catch(() => false)) toClient.end();
    else network.finally?.(toClient);
  });
  relays.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as net.AddressInfo).port;
}

/** Repeatable: 1 to `most`. */
function lengths(most: number): () => number {
  let state = 1;
  return () => {
    state = (state * 48271) % 0x7fffffff;
    return 1 + (state % most);
  };
}

/** Large records, and between them many small ones and new keys. */
async function send(socket: TlsSocket): Promise<void> {
  let at = 0;
  const next = (length: number): Buffer => {
    at += length;
    return sent.subarray(at - length, at);
  };
  for (const part of [1 << 20, 1 << 20, 100, 1, 5, 4096, 1 << 20]) {
    socket.write(next(part));
    await socket.keyUpdate();
  }
  for (let i = 0; i < 500; i++) socket.write(next(20 + i));
  socket.end(sent.subarray(at));
}

/** Each gives what came, and fails as the connection does. */
const receivers: Readonly<Record<string, (port: number) => Promise<Buffer>>> = {
  async data(port) {
    return collect(await connectTo(port));
  },
  async 'onread with a buffer'(port) {
    const got: Buffer[] = [];
    const buffer = Buffer.alloc(50_000);
    const callback = (count: number) => void got.push(Buffer.from(buffer.subarray(0, count)));
    await once(await connectTo(port, { onread: { buffer, callback } }), 'end');
    return Buffer.concat(got);
  },
  async 'onread with lent memory'(port) {
    const got: Buffer[] = [];
    const callback = (_count: number, lent: Uint8Array) => void got.push(Buffer.from(lent));
    await once(await connectTo(port, { onread: { callback } }), 'end');
    return Buffer.concat(got);
  },
  async readInto(port) {
    const got: Buffer[] = [];
    const { ssl } = await connectTo(port, { pauseOnConnect: true });
    const buffer = Buffer.alloc(200_000);
    for (let count = await ssl.readInto(buffer); count !== null; count = await ssl.readInto(buffer)) {
      got.push(Buffer.from(buffer.subarray(0, count)));
    }
    return Buffer.concat(got);
  },
  async 'data, paused every now and then'(port) {
    const socket = await connectTo(port);
    const length = lengths(5);
    socket.on('data', () => {
      if (length() !== 1) return;
      socket.pause();
      setImmediate(() => socket.resume());
    });
    return collect(socket);
  },
};

async function received(network: Network): Promise<{ got: Buffer; error: NodeJS.ErrnoException | null }> {
  const running = await startServer({}, socket => void send(socket).catch(() => undefined));
  const socket = await connectTo(await relay(running.port, network));
  const got: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  let error: NodeJS.ErrnoException | null = null;
  socket.on('error', reason => {
    error = reason;
  });
  await within(
    once(socket, 'close').catch(() => undefined),
    'the end',
  );
  return { got: Buffer.concat(got), error };
}

/** How much comes between two visits of the loop to setImmediate(). */
class IterationCounter {
  total = 0;
  most = 0;
  #now = 0;
  #running = false;

  add(count: number): void {
    this.total += count;
    this.#now += count;
    this.most = Math.max(this.most, this.#now);
  }

  start(): void {
    this.#running = true;
    const next = (): void => {
      this.#now = 0;
      if (this.#running) setImmediate(next);
    };
    setImmediate(next);
  }

  stop(): void {
    this.#running = false;
  }
}

describe('much data in large records', () => {
  afterEach(() => {
    for (const server of relays) server.close();
    relays.clear();
  });

  for (const [name, receive] of Object.entries(receivers)) {
    for (const [how, cut] of [
      ['in one piece', undefined],
      ['cut anywhere', lengths(40_000)],
      ['cut small', lengths(3000)],
    ] as const) {
      it(`arrives whole by ${name}, ${how}`, async () => {
        const running = await startServer({}, socket => void send(socket).catch(() => undefined));
        const got = await within(receive(await relay(running.port, { cut })), 'all of it');
        assert.equal(got.length, size);
        assert.equal(sha256(got), sha256(sent));
      });
    }
  }

  // In the middle of a record, of its header, and a byte before its end: a record is 16,406 bytes, the handshake about 2,000.
  for (const until of [1_000_000, 1_000_001, 1_016_405, 1_500_003]) {
    it(`cut off after ${until} bytes, tells what came and that it was cut off`, async () => {
      const { got, error } = await received({ until, finally: socket => socket.end() });
      assert.equal(error?.code, codes.unexpectedEof);
      assert.ok(got.length > until - 40_000 && got.length < until, `${got.length} bytes`);
      assert.equal(sha256(got), sha256(sent.subarray(0, got.length)));
    });

    it(`reset after ${until} bytes, tells so`, async () => {
      const { got, error } = await received({
        until,
        finally: socket => void sleep(50).then(() => socket.resetAndDestroy()),
      });
      assert.equal(error?.code, 'ECONNRESET');
      assert.equal(sha256(got), sha256(sent.subarray(0, got.length)));
    });

    it(`spoilt at byte ${until}, is refused from there on`, async () => {
      const { got, error } = await received({ spoil: until });
      assert.ok(error, 'no error');
      assert.ok(got.length < until);
      assert.equal(sha256(got), sha256(sent.subarray(0, got.length)));
    });
  }

  // More than an iteration's share waits in the socket, and a reader that takes what there is would keep the loop.
  for (const how of ['onread', 'readInto'] as const) {
    it(`leaves the loop to others, read by ${how}`, async () => {
      const total = 32 << 20;
      const running = await startServer({}, socket => void socket.end(Buffer.alloc(total)));
      const counter = new IterationCounter();
      const buffer = Buffer.alloc(65_536);
      const callback = (count: number) => counter.add(count);
      const options = how === 'onread' ? { onread: { buffer, callback } } : { pauseOnConnect: true };
      const socket = await connectTo(running.port, options);
      counter.start();
      if (how === 'onread') {
        await within(once(socket, 'end'), 'the end');
      } else {
        const { ssl } = socket;
        for (let count = await ssl.readInto(buffer); count !== null; count = await ssl.readInto(buffer)) {
          counter.add(count);
        }
      }
      counter.stop();
      assert.equal(counter.total, total);
      // 512 KiB, and what an iteration read that the next one was told. From a thread, the slabs that it has.
      assert.ok(counter.most <= (pool === undefined ? 600 : 768) * 1024, `${counter.most} bytes in one iteration`);
    });
  }

  it('ends where a reader by readInto closes the connection', async () => {
    const running = await startServer({}, socket => void send(socket).catch(() => undefined));
    const { ssl } = await connectTo(running.port, { pauseOnConnect: true });
    const buffer = Buffer.alloc(16_384);
    for (let reads = 0; reads < 40; reads++) assert.ok((await ssl.readInto(buffer)) !== null);
    const pending = ssl.readInto(buffer).then(
      () => '',
      (error: NodeJS.ErrnoException) => error.code,
    );
    ssl.close();
    assert.ok(['', 'ERR_TLS_CLOSED'].includes((await pending) as string));
    await assert.rejects(ssl.readInto(buffer), { code: 'ERR_TLS_CLOSED' });
  });

  it('ends where the callback closes the connection', async () => {
    const running = await startServer({}, socket => void send(socket).catch(() => undefined));
    let calls = 0;
    const socket = await connectTo(running.port, {
      onread: {
        buffer: Buffer.alloc(16_384),
        callback() {
          if (++calls === 20) socket.destroy();
        },
      },
    });
    await within(once(socket, 'close'), 'the end');
    await sleep(20);
    assert.equal(calls, 20);
  });
});
