import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import type { NativeBio } from '../../types/binding.d.ts';
import { closedError, invalidArgType, invalidThis, tlsError } from '../base/coded-error.ts';
import { asBytes, optionalBoolean, optionalInteger, validateInteger, validateObject } from '../base/validate.ts';
import { listenersChanged, watchListeners } from '../base/watch-listeners.ts';
import { binding } from '../native/load-binding.ts';
import { throwLater } from './dispatch.ts';
import { DuplexBio, duplexBioSize } from './duplex-bio.ts';
import type { Connection } from './native-connection.ts';

/** A socket that waits to be given to a connection. */
export interface SocketTransport {
  readonly fd: number;
  readonly close: boolean;
}

export interface BioPairOptions {
  /** Bytes that fit into each direction; default 65536. */
  readonly size?: number | undefined;
}

export interface BioDuplexOptions {
  /** Whether the end of the connection ends and destroys the stream (BIO_CLOSE). Default false: it is left alone. */
  readonly close?: boolean | undefined;
}

export interface BioSocketOptions {
  /** Whether closing the connection closes the descriptor (BIO_CLOSE); otherwise a duplicate is used. Default false. */
  readonly close?: boolean | undefined;
}

/** What an object of the class is made of. */
export type BioContent = {
  /** The connection that reads from it. */
  reader?: Connection;
  /** The connection that writes to it. */
  writer?: Connection;
  /** Called when it is closed, by those who wait for it. */
  readonly closing: Set<() => void>;
} & (
  | {
      readonly native: NativeBio;
      readonly duplex?: DuplexBio;
      readonly socket?: undefined;
    }
  | { readonly socket: SocketTransport; readonly native?: undefined; readonly duplex?: undefined }
);

const maxSize = 2 ** 31 - 1;
const defaultPairSize = 65536;
const key = Symbol('Bio');

let contentOf: (bio: unknown, argument?: string) => BioContent;
let isClosed: (bio: Bio) => boolean;

/**
 * A source and sink of bytes: BIO. Gives a connection any transport that is not a socket.
 *
 * Event `'readable'`: a connection, or the other end of a pair, wrote, or will write no more. Event `'drain'`: something was
 * read of what was written here. Both are emitted from a turn of the event loop, once for any number of calls; with a
 * listener the Bio lives until it is closed.
 */
export class Bio extends EventEmitter<{ readable: []; drain: [] }> {
  readonly #content: BioContent;
  #closed = false;

  static {
    isClosed = bio => bio.#closed;
    contentOf = (bio, argument) => {
      if (typeof bio === 'object' && bio !== null && #content in bio) return bio.#content;
      throw argument === undefined ? invalidThis('Bio') : invalidArgType(argument, 'a Bio', bio);
    };
    watchListeners(Bio.prototype, bio => contentOf(bio));
  }

  /** @internal */
  private constructor(token: typeof key, content: BioContent) {
    if (token !== key)
      throw invalidArgType('Bio', 'made by Bio.memory(), Bio.pair(), Bio.socket() or Bio.duplex()', undefined);
    super();
    this.#content = content;
  }

  /** One queue of bytes without a bound: BIO_new(3) with BIO_s_mem(3). */
  static memory(): Bio {
    return new Bio(key, { closing: new Set(), native: binding.NativeBio.memory() });
  }

  /** Two ends: what is written to one is read from the other. BIO_new_bio_pair(3). */
  static pair(options: BioPairOptions = {}): [Bio, Bio] {
    validateObject(options, 'options');
    const size = optionalInteger(options.size, 'options.size', 1, maxSize) ?? defaultPairSize;
    const [one, other] = binding.NativeBio.pair(size);
    return [new Bio(key, { closing: new Set(), native: one }), new Bio(key, { closing: new Set(), native: other })];
  }

  /**
   * A BIO written in JavaScript, BIO_meth_new(3): any stream of bytes that is a Duplex. From now on the stream is read,
   * up to 64 KiB ahead, and must be used by nobody else.
   *
   * If the stream fails, its error is the `cause` of the connection's.
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` for what is no Duplex
   */
  static duplex(stream: Duplex, options: BioDuplexOptions = {}): Bio {
    if (!(stream instanceof Duplex)) throw invalidArgType('stream', 'a stream.Duplex', stream);
    validateObject(options, 'options');
    const close = optionalBoolean(options.close, 'options.close', false);
    const [native, far] = binding.NativeBio.pair(duplexBioSize);
    return new Bio(key, { closing: new Set(), native, duplex: new DuplexBio(stream, far, close) });
  }

  /**
   * A connected stream socket, for {@link Ssl.setBio}: BIO_new_socket(3). The connection takes it over; it has no
   * bytes of its own to read or write.
   */
  static socket(fd: number, options: BioSocketOptions = {}): Bio {
    validateInteger(fd, 'fd', 0, maxSize);
    validateObject(options, 'options');
    return new Bio(key, {
      closing: new Set(),
      socket: { fd, close: optionalBoolean(options.close, 'options.close', false) },
    });
  }

  /**
   * Puts bytes in: BIO_write(3).
   *
   * @returns how many were taken: all, except where a pair is full
   */
  write(data: string | NodeJS.ArrayBufferView): number {
    return memoryOf(this).write(asBytes(data, 'data'));
  }

  /**
   * Takes bytes out: BIO_read(3).
   *
   * @param max - at most so many bytes; all that are there if absent
   * @returns null if there is nothing now; an empty Buffer at the end
   */
  read(max?: number): Buffer | null {
    const native = memoryOf(this);
    if (max !== undefined) validateInteger(max, 'max', 1, maxSize);
    return native.read(max ?? maxSize);
  }

  /** No more bytes will be written: the reader finds the end after what is there. BIO_shutdown_wr(3). */
  end(): void {
    memoryOf(this).end();
  }

  /** Bytes that can be read now: BIO_ctrl_pending(3). */
  get pending(): number {
    return memoryOf(this).pending;
  }

  /** Whether nothing is there and nothing will come: BIO_eof(3). */
  get eof(): boolean {
    const native = memoryOf(this);
    return native.pending === 0 && native.farEnded;
  }

  /** Whether {@link end} was called. */
  get ended(): boolean {
    return memoryOf(this).ended;
  }

  /** Frees its memory, once no connection uses it: BIO_free(3). Idempotent. */
  close(): void {
    const { native, closing } = contentOf(this);
    this.#closed = true;
    native?.close();
    for (const notice of [...closing]) notice();
  }

  [Symbol.dispose](): void {
    Bio.prototype.close.call(this);
  }

  /** Whether {@link close} was called; everything else then throws `ERR_TLS_CLOSED`. */
  get closed(): boolean {
    contentOf(this);
    return this.#closed;
  }

  /** @internal */
  [listenersChanged](name: string | symbol, listening: boolean): void {
    const { native } = this.#content;
    if (name === 'readable') native?.onReadable(listening ? () => this.#tell('readable') : null);
    if (name === 'drain') native?.onDrained(listening ? () => this.#tell('drain') : null);
  }

  #tell(name: 'readable' | 'drain'): void {
    try {
      this.emit(name);
    } catch (error) {
      throwLater(error);
    }
  }
}

/** @internal What a connection is given. */
export function bioArgument(bio: unknown, name: string): BioContent {
  const content = contentOf(bio, name);
  assertOpen(bio as Bio);
  return content;
}

function assertOpen(bio: Bio): void {
  if (isClosed(bio)) throw closedError('the Bio');
}

/** @internal What those need who wait for a Bio; throws for a closed one, and for one that is a connection's alone. */
export function memoryContent(bio: unknown): Extract<BioContent, { readonly native: NativeBio }> {
  const content = contentOf(bio);
  if (content.socket !== undefined) {
    throw tlsError('ERR_TLS_BIO_IS_SOCKET', 'a socket Bio is read and written by the connection that it is given to');
  }
  assertOpen(bio as Bio);
  return content;
}

const memoryOf = (bio: unknown): NativeBio => memoryContent(bio).native;
