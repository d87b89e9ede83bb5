// What a socket does with bytes that arrive: chunks of the stream's, or the user's own memory.
import type { Readable } from 'node:stream';
import type { Connection } from './connection.ts';
import { copyBytes } from './copy-bytes.ts';
import { lendsMemory, throwLater } from './dispatch.ts';
import { asTarget, validateFunction, validateObject } from './validate.ts';

/** As net.Socket's option: no `'data'` events are emitted. */
export interface OnReadOptions {
  /**
   * Where data goes: memory of the caller's. Without it the callback sees the memory that all connections share: nothing
   * is copied, which on I/O threads is by far the least work for JavaScript, but it must be left alone, and is
   * overwritten, once the callback has returned.
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

export interface Receiver {
  /** Whether reading should go on. */
  receive(bytes: Uint8Array, offset: number, length: number): boolean;
  /** Came, but was not wanted yet. */
  readonly holds: boolean;
  /** Gives out what it holds, as far as it is wanted; whether reading should go on. */
  release(): boolean;
}

/**
 * Allocations from 128 KiB on are pages that the system gives and takes back each time, and their faults cost more than
 * the decryption of what goes into them.
 */
const maxChunk = 32 * 1024;

/** Copies: the memory is used again for the next batch, and a chunk may live for long. */
export class ChunkReceiver implements Receiver {
  readonly #stream: Readable;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    if (length <= maxChunk) return this.#pushSafely(copyBytes(bytes, offset, length));
    let goOn = true;
    for (let at = 0; at < length; at += maxChunk) {
      goOn = this.#pushSafely(copyBytes(bytes, offset + at, Math.min(maxChunk, length - at)));
    }
    return goOn;
  }

  /** The stream buffers. */
  get holds(): boolean {
    return false;
  }

  release(): boolean {
    return true;
  }

  /** A listener that throws at one piece must not lose the next. */
  #pushSafely(chunk: Buffer): boolean {
    try {
      return this.#stream.push(chunk);
    } catch (error) {
      throwLater(error);
      return true;
    }
  }
}

/** For the option `onread`. */
export function onReadReceiver(connection: Connection, options: OnReadOptions): Receiver {
  checkOnRead(options);
  const { buffer } = options;
  return buffer === undefined
    ? new LendingReceiver(connection, options)
    : new BufferReceiver(connection, options, buffer);
}

/** What was not wanted yet: an I/O thread does not stop in the middle of what it has sent. */
abstract class HoldingReceiver implements Receiver {
  protected readonly connection: Connection;
  protected readonly options: OnReadOptions;
  #held: Buffer[] = [];

  constructor(connection: Connection, options: OnReadOptions) {
    this.connection = connection;
    this.options = options;
  }

  abstract receive(bytes: Uint8Array, offset: number, length: number): boolean;
  /** How many bytes were given out, and whether more are wanted. */
  protected abstract give(bytes: Uint8Array): { readonly given: number; readonly goOn: boolean };

  protected offer(bytes: Uint8Array): boolean {
    const { given, goOn } = this.holds ? { given: 0, goOn: false } : this.give(bytes);
    if (given < bytes.length && !this.connection.closed) this.#held.push(Buffer.from(bytes.subarray(given)));
    return goOn;
  }

  get holds(): boolean {
    return this.#held.length > 0;
  }

  release(): boolean {
    for (;;) {
      const next = this.#held.shift();
      if (next === undefined) return true;
      const later = this.#held;
      this.#held = [];
      const goOn = this.offer(next);
      this.#held.push(...later);
      if (!goOn) return false;
    }
  }
}

/** Memory of the binding's, lent for the time of the callback. */
class LendingReceiver extends HoldingReceiver {
  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    const lent = bytes.subarray(offset, offset + length);
    return this.offer(lendsMemory ? lent : lent.slice());
  }

  protected give(bytes: Uint8Array): { readonly given: number; readonly goOn: boolean } {
    const goOn = this.options.callback(bytes.length, bytes) !== false;
    return { given: bytes.length, goOn };
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
    const buffer = this.#buffer;
    // From an I/O thread, or before the buffer was set.
    if (offset >= 0) return this.offer(bytes.subarray(offset, offset + length));
    const goOn = this.options.callback(length, buffer) !== false;
    this.#replace();
    return goOn;
  }

  /** A buffer at a time, until the callback has enough. */
  protected give(bytes: Uint8Array): { readonly given: number; readonly goOn: boolean } {
    let given = 0;
    let goOn = true;
    while (goOn && given < bytes.length) {
      const part = bytes.subarray(given, given + this.#buffer.length);
      this.#buffer.set(part);
      given += part.length;
      goOn = this.options.callback(part.length, this.#buffer) !== false;
      this.#replace();
    }
    return { given, goOn };
  }

  #next(): Uint8Array {
    return asTarget(typeof this.#source === 'function' ? this.#source() : this.#source, 'options.onread.buffer');
  }

  #replace(): void {
    if (typeof this.#source !== 'function' || this.connection.closed) return;
    this.#buffer = this.#next();
    this.connection.native.setReadBuffer(this.#buffer);
  }
}
