// The core of a stream under streams that are no TlsSocket: one of no special class, and a net.Socket without a handle.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type Ssl, TlsSocket } from 'system-tls';
import type { StreamCoreOptions } from '#dist/stream/stream-core.js';
import { StreamCore } from '#dist/stream/stream-core.js';
import { pattern } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { connectedPair, type MemoryPair, type Transport } from '../../support/memory-pair.ts';
import { collect } from '../../support/sockets.ts';
import { turns, within } from '../../support/wait.ts';

type Callback = (error?: Error | null) => void;
type Piece = { readonly chunk: Buffer | string; readonly encoding: BufferEncoding };

/** All that a class of a stream has to do. */
// biome-ignore lint/suspicious/noExplicitAny: the language asks for it of what is extended so
function overCore<Base extends new (...args: any[]) => Duplex>(base: Base) {
  return class extends base {
    core!: StreamCore;

    start(ssl: Ssl, options: StreamCoreOptions = {}, paused = false): this {
      this.core = new StreamCore(this, ssl, options);
      this.core.attach(paused);
      return this;
    }

    override _read(): void {
      this.core.startReading();
    }

    override read(size?: number): unknown {
      const chunk: unknown = super.read(size);
      this.core.read();
      return chunk;
    }

    override pause(): this {
      this.core.pause();
      return super.pause();
    }

    override resume(): this {
      this.core.resume();
      return super.resume();
    }

    override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: Callback): void {
      this.core.writer.write(chunk, encoding, callback);
    }

    override _writev(pieces: Piece[], callback: Callback): void {
      this.core.writer.writev(pieces, callback);
    }

    override _final(callback: Callback): void {
      this.core.writer.final(callback);
    }

    override _destroy(error: Error | null, callback: Callback): void {
      super._destroy(this.core.close(error), callback);
    }
  };
}

const PlainStream = overCore(Duplex);
const HandlelessSocket = overCore(Socket);

for (const [name, make] of [
  ['a plain Duplex', () => new PlainStream({ allowHalfOpen: false })],
  ['a net.Socket without a handle', () => new HandlelessSocket()],
] as const) {
  describe(`the core of a stream, in ${name}`, () => {
    type Stream = ReturnType<typeof make>;

    interface Both {
      readonly pair: MemoryPair;
      readonly stream: Stream;
      readonly peer: TlsSocket;
      /** What the stream told, in its order. */
      readonly log: string[];
      /** Waits for the stream's 'close'. */
      readonly closed: () => Promise<void>;
    }

    async function both(
      options: StreamCoreOptions = {},
      paused = false,
      transport: Transport = 'queues',
    ): Promise<Both> {
      const pair = await connectedPair({ transport });
      pair.flow();
      const stream = make();
      const log: string[] = [];
      stream.on('error', (error: NodeJS.ErrnoException) => log.push(error.code ?? error.message));
      for (const event of ['end', 'finish', 'close']) stream.on(event, () => log.push(event));
      const closing = new Promise<void>(resolve => stream.once('close', () => resolve()));
      stream.start(pair.client, options, paused);
      const peer = new TlsSocket(pair.server);
      peer.on('error', () => {});
      return { pair, stream, peer, log, closed: () => within(closing, 'close') };
    }

    it('reads and writes, one chunk or many, and ends', async () => {
      const { stream, peer, log, closed } = await both();
      const [toStream, toPeer] = [pattern(300_000), pattern(400_000)];
      const received = Promise.all([collect(stream), collect(peer)]);
      peer.end(toStream);
      stream.write('text');
      stream.cork();
      for (let at = 0; at < toPeer.length; at += 40_000) stream.write(toPeer.subarray(at, at + 40_000));
      stream.uncork();
      stream.end();
      const [atStream, atPeer] = await within(received, 'all bytes');
      assert.ok(atStream.equals(toStream));
      assert.ok(atPeer.equals(Buffer.concat([Buffer.from('text'), toPeer])));
      await closed();
      assert.deepEqual(log.toSorted(), ['close', 'end', 'finish']);
      assert.equal(stream.core.bytesRead, toStream.length);
      assert.equal(stream.core.writer.bytesWritten, atPeer.length);
    });

    it('answers the end of its peer with its own', async () => {
      const { stream, peer, log, closed } = await both();
      stream.resume();
      peer.resume();
      peer.end();
      await Promise.all([closed(), within(once(peer, 'close'), 'the end of the peer')]);
      assert.deepEqual(log, ['end', 'finish', 'close']);
      assert.ok(stream.core.ssl.closed);
    });

    it('rests while it is paused', async () => {
      const { stream, peer } = await both({}, true);
      const seen: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => seen.push(chunk));
      stream.pause();
      peer.write('later');
      await turns(10);
      assert.equal(seen.length, 0);
      const data = once(stream, 'data');
      stream.resume();
      assert.equal(
        String(
          await within(
            data.then(([chunk]) => chunk as Buffer),
            'data',
          ),
        ),
        'later',
      );
    });

    it('gives data to the option onread, and rests when that says so', async () => {
      const seen: string[] = [];
      const onread = {
        buffer: Buffer.alloc(3),
        callback: (length: number, bytes: Uint8Array) =>
          seen.push(String(Buffer.from(bytes.subarray(0, length)))) !== 2,
      };
      const { stream, peer, log, closed } = await both({ onread });
      peer.end('abcdefgh');
      await turns(10);
      assert.deepEqual(seen, ['abc', 'def']);
      stream.resume();
      await closed();
      assert.deepEqual(seen, ['abc', 'def', 'gh']);
      assert.deepEqual(log, ['end', 'finish', 'close']);
    });

    it('tells how the connection failed behind the data that came before', async () => {
      const { pair, stream, peer, log, closed } = await both({}, true);
      const seen: string[] = [];
      peer.write('last words');
      await pair.pump();
      stream.read(0);
      await turns(4);
      pair.cut();
      await turns(4);
      assert.deepEqual(log, []);
      stream.on('data', chunk => seen.push(String(chunk)));
      await closed();
      assert.deepEqual(seen, ['last words']);
      assert.deepEqual(log, [codes.unexpectedEof, 'close']);
    });

    it('takes an end without close_notify for one where it may', async () => {
      const { pair, stream, log, closed } = await both({ strictEnd: false });
      stream.resume();
      pair.cut();
      await closed();
      assert.equal(log[0], 'end');
      assert.equal(log.at(-1), 'close');
    });

    it('destroyed, closes the connection and fails what waits', async () => {
      // A pair takes no more than fits into it.
      const { pair, stream, log, closed } = await both({}, false, 'pair');
      pair.hold();
      const failure = new Promise(resolve => stream.write(pattern(1 << 20), resolve));
      const why = new Error('why');
      stream.destroy(why);
      await closed();
      assert.ok((await within(failure, 'the write')) instanceof Error);
      assert.deepEqual(log, ['why', 'close']);
      assert.ok(pair.client.closed);
    });

    it('is destroyed with its connection', async () => {
      const { pair, stream, log, closed } = await both();
      pair.client.close();
      await closed();
      assert.ok(stream.destroyed);
      assert.deepEqual(log, ['close']);
    });

    it('emits events of the connection, and tells that nothing moves', async () => {
      const { stream, pair } = await both();
      stream.resume();
      const updated = once(stream, 'keyUpdate');
      await pair.client.keyUpdate();
      assert.deepEqual(await within(updated, 'keyUpdate'), [{ from: 'self', requested: false }]);
      const idle = once(stream, 'timeout');
      stream.core.idleTimeout = 20;
      await within(idle, 'timeout');
      assert.equal(stream.core.idleTimeout, 20);
    });

    it('says goodbye when it is disposed of', async () => {
      const { stream, peer, log, closed } = await both();
      stream.resume();
      const ended = once(peer.resume(), 'end');
      await within(stream.core.dispose(), 'dispose');
      await Promise.all([closed(), within(ended, 'the end of the peer')]);
      assert.ok(!log.includes('error'));
    });

    it('has its connection for itself', async () => {
      const { pair } = await both();
      assert.throws(() => make().start(pair.client), { code: 'ERR_TLS_SSL_IN_USE' });
    });
  });
}
