// What a socket does with bytes that arrive: chunks of the stream's, or the user's own memory.
import type { Connection } from './connection.ts';
import { copyBytes } from './connection.ts';
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
}

/**
 * Allocations from 128 KiB on are pages that the system gives and takes back each time, and their faults cost more than
 * the decryption of what goes into them.
 */
const maxChunk = 32 * 1024;

/** Copies: the memory is used again for the next batch, and a chunk may live for long. */
export class ChunkReceiver implements Receiver {
  readonly #push: (chunk: Buffer) => boolean;

  constructor(push: (chunk: Buffer) => boolean) {
    this.#push = push;
  }

  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    let goOn = true;
    for (let at = 0; at < length; at += maxChunk) {
      goOn = this.#pushSafely(copyBytes(bytes, offset + at, Math.min(maxChunk, length - at)));
    }
    return goOn;
  }

  /** A listener that throws at one piece must not lose the next. */
  #pushSafely(chunk: Buffer): boolean {
    try {
      return this.#push(chunk);
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

  constructor(connection: Connection, options: OnReadOptions) {
    checkOnRead(options);
    this.#connection = connection;
    this.#options = options;
    this.#buffer = this.#next();
    connection.native.setReadBuffer(this.#buffer);
  }

  receive(bytes: Uint8Array, offset: number, length: number): boolean {
    const buffer = this.#buffer;
    // Data that came before the buffer was set.
    if (offset >= 0) return this.#copied(bytes.subarray(offset, offset + length));
    const goOn = this.#options.callback(length, buffer) !== false;
    this.#replace();
    return goOn;
  }

  #copied(rest: Uint8Array): boolean {
    let goOn = true;
    for (let at = 0; at < rest.length; ) {
      const part = rest.subarray(at, at + this.#buffer.length);
      this.#buffer.set(part);
      at += part.length;
      goOn = this.#options.callback(part.length, this.#buffer) !== false && goOn;
      this.#replace();
    }
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
