// What a socket does with bytes that arrive: chunks of the stream's, or the user's own memory.
import type { Readable } from 'node:stream';
import { detachedTarget } from '../base/coded-error.ts';
import { copyBytes } from '../base/copy-bytes.ts';
import { asTarget, validateFunction, validateObject } from '../base/validate.ts';
import { lendsMemory, throwLater } from '../transport/dispatch.ts';
import type { Connection } from '../transport/native-connection.ts';

/** As net.Socket's option: no `'data'` events are emitted. */
export interface OnReadOptions {
  /**
   * Where data goes: memory of the caller's. Without it the callback sees the memory that all connections share: nothing
   * is copied, which on I/O threads is by far the least work for JavaScript, but it must be left alone, and is
   * overwritten, once the callback has returned. Its ArrayBuffer holds clear text of other connections too: lend it to
   * nobody who must not see that.
   */
  readonly buffer?: Uint8Array | (() => Uint8Array) | undefined;
  /** Told how many bytes lie at the beginning of the buffer. Returning `false` stops reading until `resume()`. */
  callback(bytesRead: number, buffer: Uint8Array): unknown;
}

/** Before anything is connected: afterwards it would be too late to say that an option is wrong. */
export function checkOnRead(options: OnReadOptions | undefined): void {
  if (options === undefined || options === null) return;
  validateObject(options, 'options.onread');
  validateFunction(options.callback, 'options.onread.callback');
  if (typeof options.buffer !== 'function' && options.buffer !== undefined)
    asTarget(options.buffer, 'options.onread.buffer');
}

/**
 * Allocations from 128 KiB on are pages that the system gives and takes back each time, and their faults cost more than
 * the decryption of what goes into them.
 */
const maxChunk = 32 * 1024;

type Pusher = Pick<Readable, 'push' | 'readableLength' | 'listenerCount' | 'destroyed' | 'emit'>;

/**
 * Copies: the memory is used again for the next batch, and a chunk may live for long.
 *
 * @returns whether reading should go on
 */
export function pushCopies(stream: Pusher, bytes: Uint8Array, offset: number, length: number): boolean {
  if (length <= maxChunk) return pushSafely(stream, copyBytes(bytes, offset, length));
  let goOn = true;
  for (let at = 0; at < length; at += maxChunk) {
    goOn = pushSafely(stream, copyBytes(bytes, offset + at, Math.min(maxChunk, length - at)));
  }
  return goOn;
}

/**
 * A handler of 'readable' that calls read() once takes one chunk (since node 26), and what was pushed in the same tick has
 * told of itself by the same event. net.Socket pushes once in a tick, so there is an event for each chunk.
 */
function tellAgain(stream: Pusher): void {
  if (stream.readableLength > 0 && !stream.destroyed) stream.emit('readable');
}

/** A listener that throws at one piece must not lose the next. */
function pushSafely(stream: Pusher, chunk: Buffer): boolean {
  if (stream.readableLength > 0 && stream.listenerCount('readable') > 0) process.nextTick(tellAgain, stream);
  try {
    return stream.push(chunk);
  } catch (error) {
    throwLater(error);
    return true;
  }
}

/** For the option `onread`. */
export function onReadReceiver(connection: Connection, options: OnReadOptions): HoldingReceiver {
  checkOnRead(options);
  const { buffer } = options;
  return buffer === undefined
    ? new LendingReceiver(connection, options)
    : new BufferReceiver(connection, options, buffer);
}

/** What was not wanted yet: an I/O thread does not stop in the middle of what it has sent. */
export abstract class HoldingReceiver {
  protected readonly connection: Connection;
  protected readonly options: OnReadOptions;
  #held: Buffer[] = [];
  #stopped = false;

  constructor(connection: Connection, options: OnReadOptions) {
    this.connection = connection;
    this.options = options;
  }

  /** Whether reading should go on. */
  abstract receive(bytes: Uint8Array, offset: number, length: number): boolean;
  /** Gives out as much as is {@link wanted}; how many bytes that were. */
  protected abstract give(bytes: Uint8Array): number;

  /** Nobody paused it, and nobody closed the connection. */
  protected get wanted(): boolean {
    return !this.#stopped && !this.connection.closed;
  }

  /** A callback that throws at one piece must not lose the next. */
  protected tell(length: number, buffer: Uint8Array): void {
    try {
      if (this.options.callback(length, buffer) === false) this.#stopped = true;
    } catch (error) {
      throwLater(error);
    }
  }

  protected offer(bytes: Uint8Array): boolean {
    const given = this.holds ? 0 : this.give(bytes);
    if (given < bytes.length && !this.connection.closed) this.#held.push(Buffer.from(bytes.subarray(given)));
    return this.wanted;
  }

  /** Came, but was not wanted yet. */
  get holds(): boolean {
    return this.#held.length > 0;
  }

  /** Nothing is wanted until {@link release}. */
  stop(): void {
    this.#stopped = true;
  }

  /** Gives out what it holds, as far as it is wanted; whether reading should go on. */
  release(): boolean {
    this.#stopped = false;
    while (this.wanted) {
      const next = this.#held[0];
      if (next === undefined) return true;
      const given = this.give(next);
      if (given < next.length) this.#held[0] = next.subarray(given);
      else this.#held.shift();
    }
    return false;
  }
}

/** Memory of the binding's, lent for the time of the callback. */
class LendingReceiver extends HoldingReceiver {
  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    const lent = bytes.subarray(offset, offset + length);
    return this.offer(lendsMemory ? lent : lent.slice());
  }

  protected give(bytes: Uint8Array): number {
    if (!this.wanted) return 0;
    const { length } = bytes;
    this.tell(length, bytes);
    return length;
  }
}

class BufferReceiver extends HoldingReceiver {
  readonly #source: Uint8Array | (() => Uint8Array);
  #buffer: Uint8Array;

  constructor(connection: Connection, options: OnReadOptions, source: Uint8Array | (() => Uint8Array)) {
    super(connection, options);
    this.#source = source;
    this.#buffer = this.#next();
    connection.native.setReadBuffer(this.#buffer);
  }

  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    // From an I/O thread, or before the buffer was set.
    if (offset >= 0) return this.offer(bytes.subarray(offset, offset + length));
    this.tell(length, this.#buffer);
    this.#replace();
    return this.wanted;
  }

  /** A buffer at a time. */
  protected give(bytes: Uint8Array): number {
    let given = 0;
    while (this.wanted && given < bytes.length) {
      if (this.#buffer.length === 0) {
        // As native code does on the loop: what is not given is lost, and no end must hide that.
        this.connection.close(detachedTarget());
        return given;
      }
      const part = bytes.subarray(given, given + this.#buffer.length);
      this.#buffer.set(part);
      given += part.length;
      this.tell(part.length, this.#buffer);
      this.#replace();
    }
    return given;
  }

  #next(): Uint8Array {
    return asTarget(typeof this.#source === 'function' ? this.#source() : this.#source, 'options.onread.buffer');
  }

  #replace(): void {
    if (typeof this.#source !== 'function' || this.connection.closed) return;
    try {
      this.#buffer = this.#next();
    } catch (error) {
      throwLater(error);
    }
    this.connection.native.setReadBuffer(this.#buffer);
  }
}
