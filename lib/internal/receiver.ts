// What a socket does with bytes that arrive: chunks of the stream's, or the user's own memory.
import type { Readable } from 'node:stream';
import type { Connection } from './connection.ts';
import { copyBytes } from './copy-bytes.ts';
import { throwLater } from './dispatch.ts';
import { asTarget, validateFunction, validateObject } from './validate.ts';

/** As net.Socket's option: data goes into the caller's memory, and no `'data'` events are emitted. */
export interface OnReadOptions {
  readonly buffer: Uint8Array | (() => Uint8Array);
  /** Told how many bytes lie at the beginning of the buffer. Returning `false` stops reading until `resume()`. */
  callback(bytesRead: number, buffer: Uint8Array): unknown;
}

/** Before anything is connected: afterwards it would be too late to say that an option is wrong. */
export function checkOnRead(options: OnReadOptions | undefined): void {
  if (options === undefined || options === null) return;
  validateObject(options, 'options.onread');
  validateFunction(options.callback, 'options.onread.callback');
  if (typeof options.buffer !== 'function') asTarget(options.buffer, 'options.onread.buffer');
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

export class BufferReceiver implements Receiver {
  readonly #connection: Connection;
  readonly #options: OnReadOptions;
  #buffer: Uint8Array;
  /** Of an I/O thread's: it fills no memory of JavaScript's, and does not stop in the middle of what it has sent. */
  #held: Buffer[] = [];

  constructor(connection: Connection, options: OnReadOptions) {
    checkOnRead(options);
    this.#connection = connection;
    this.#options = options;
    this.#buffer = this.#next();
    connection.native.setReadBuffer(this.#buffer);
  }

  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    const buffer = this.#buffer;
    // From an I/O thread, or before the buffer was set.
    if (offset >= 0) return this.#give(bytes.subarray(offset, offset + length));
    const goOn = this.#options.callback(length, buffer) !== false;
    this.#replace();
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
      const goOn = this.#give(next);
      this.#held.push(...later);
      if (!goOn) return false;
    }
  }

  /** A buffer at a time, until the callback has enough; the rest is kept. */
  #give(bytes: Uint8Array): boolean {
    let at = 0;
    let goOn = !this.holds;
    while (goOn && at < bytes.length) {
      const part = bytes.subarray(at, at + this.#buffer.length);
      this.#buffer.set(part);
      at += part.length;
      goOn = this.#options.callback(part.length, this.#buffer) !== false;
      this.#replace();
    }
    if (at < bytes.length && !this.#connection.closed) this.#held.push(Buffer.from(bytes.subarray(at)));
    return goOn;
  }

  #next(): Uint8Array {
    const { buffer } = this.#options;
    return asTarget(typeof buffer === 'function' ? buffer() : buffer, 'options.onread.buffer');
  }

  #replace(): void {
    if (typeof this.#options.buffer !== 'function' || this.#connection.closed) return;
    this.#buffer = this.#next();
    this.#connection.native.setReadBuffer(this.#buffer);
  }
}
