import { AsyncResource } from 'node:async_hooks';
import type { FileHandle } from 'node:fs/promises';
import type { NativeFile } from '../../types/binding.d.ts';
import { closedError, timeoutError, tlsError } from '../base/coded-error.ts';
import { Deadline } from '../base/deadline.ts';
import { optionalBoolean, validateObject } from '../base/validate.ts';
import type { SendFileOptions } from '../connection/options.ts';
import { checkFilePart, type FilePart, openFile, sendFilePart } from '../connection/send-file.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { contextArgument } from '../context/context.ts';
import { assertMethodCarries } from '../context/methods.ts';
import {
  type Connection,
  type Flow,
  isMisuse,
  onClosed,
  onData,
  onEnd,
  onFailed,
  onSendingFailed,
  type Pending,
} from '../transport/native-connection.ts';
import { ChunkReceiver, type OnReadOptions, onReadReceiver, type Receiver } from './receiver.ts';
import { socketOf, TlsSocketState } from './tls-socket-state.ts';
import { UnreadEnd } from './unread-end.ts';
import { groupsOf } from './write-groups.ts';
import { WriteTurns } from './write-turns.ts';

export interface TlsSocketOptions {
  /** Whether the writable side stays open after the peer's close_notify; default false, as in net.Socket. */
  readonly allowHalfOpen?: boolean | undefined;
  /** Data goes into memory of the caller's, without a copy and without garbage; default: `'data'` events. */
  readonly onread?: OnReadOptions | undefined;
  /** Reading waits for `resume()`, `read()` or a listener of `'data'`; default false. */
  readonly pauseOnConnect?: boolean | undefined;
  /**
   * Whether a transport that ends without close_notify, after the handshake, is an error (`ERR_SSL_UNEXPECTED_EOF`);
   * default true. False: it is `'end'`, as in node:tls, behind the data that came before. Nothing tells then whether data
   * is missing: it is for protocols that say so themselves, such as HTTP. An end in the middle of a record (which the kernel
   * does not tell where it decrypts, see `ktls`) or of a handshake stays an error, a reset too.
   */
  readonly strictEnd?: boolean | undefined;
}

/** Milliseconds that asynchronous disposal gives the transport to take our close_notify. */
const disposeTimeout = 2_000;

type WriteCallback = (error?: Error | null) => void;
type Chunk = { readonly chunk: Buffer };

/** Callbacks of a write run where it was called, as far as AsyncLocalStorage is concerned, and not where its end was heard. */
class WriteScope extends AsyncResource {
  constructor() {
    super('SYSTEMTLSWRITE');
  }
}

/**
 * A connection as a stream. Its clear bytes are read and written; `ssl` is the connection under it.
 *
 * The end of the stream is the peer's close_notify. If the transport ends without, the stream is destroyed with
 * `ERR_SSL_UNEXPECTED_EOF`, unless the option `strictEnd` is false. Ending the writable side sends our close_notify. A fatal error closes everything.
 */
export class TlsSocket extends TlsSocketState implements Flow {
  readonly #connection: Connection;
  readonly #receiver: Receiver;
  readonly #ownBuffer: boolean;
  /** Made for those who need it. */
  #turns: WriteTurns | undefined;
  /** What comes behind the data that is not read yet. */
  #unread: UnreadEnd | undefined;
  #peerEnded = false;
  #disposing = false;

  /**
   * @param ssl - with its transport; from now on it is the socket that reads. A handshake that was not made is made.
   * Around a closed one the socket is destroyed from the beginning.
   */
  constructor(ssl: Ssl, options: TlsSocketOptions = {}) {
    validateObject(options, 'options');
    const connection = connectionOf(ssl);
    if (connection.flow !== null)
      throw tlsError('ERR_TLS_SSL_IN_USE', `${connection.description} has a TlsSocket already`);
    if (!connection.closed && connection.error === null) connection.assertUsable();
    assertMethodCarries(contextArgument(ssl.context, 'ssl.context').policy.method, 'stream', 'a TlsSocket');
    super(ssl, optionalBoolean(options.allowHalfOpen, 'options.allowHalfOpen', false));
    this.#connection = connection;
    if (!optionalBoolean(options.strictEnd, 'options.strictEnd', true)) connection.native.setStrictEnd(false);
    this.#ownBuffer = options.onread !== undefined && options.onread !== null;
    this.#receiver =
      options.onread === undefined || options.onread === null
        ? new ChunkReceiver(this)
        : onReadReceiver(connection, options.onread);
    this.#attach();
    if (!optionalBoolean(options.pauseOnConnect, 'options.pauseOnConnect', false)) this.read(0);
  }

  #attach(): void {
    this.#connection.flow = this;
    this.#connection.pin();
    // It may have died between its handshake and this moment.
    if (this.#connection.error !== null) this.destroy(this.#connection.error);
    else if (this.#connection.closed) this.destroy();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Coming in

  override _read(): void {
    (socketOf(this) as TlsSocket).#connection.startFlow();
  }

  /** @internal */
  [onData](bytes: Uint8Array, offset: number, length: number): void {
    this.noteRead(length);
    if (!this.#receiver.receive(bytes, offset, length)) this.#connection.stopFlow();
  }

  /** @internal */
  [onEnd](): void {
    this.#peerEnded = true;
    if (!this.#receiver.holds) this.#emitEnd();
  }

  #emitEnd(): void {
    this.push(null);
    // As net.Socket: an end that nothing is before is told to those too who never read.
    this.read(0);
  }

  /** @internal */
  [onFailed](error: Error): void {
    // Both sides have said all they had to say: how the transport ends after that is nobody's concern.
    if (this.#peerEnded && this.writableEnded && this.writableLength === 0) this.destroy();
    else this.#failBehindData(this.#connection.transportError ?? error);
  }

  /** @internal Also where nothing that was written failed for it: nobody may write or read any more. */
  [onSendingFailed](error: Error): void {
    if (!this.destroyed && !this.readableEnded) this.#awaitReader().cause = this.#connection.transportError ?? error;
  }

  /** Data that has arrived comes before the error that the connection ended with, unless we have ended it ourselves. */
  #failBehindData(error: NodeJS.ErrnoException): void {
    if (this.#allRead || error.code === 'ERR_TLS_CLOSED') this.destroy(error);
    else this.#awaitReader().failure = error;
  }

  get #allRead(): boolean {
    return this.readableLength === 0 && !this.#receiver.holds;
  }

  #awaitReader(): UnreadEnd {
    this.#unread ??= new UnreadEnd(error => {
      if (!this.readableEnded) this.destroy(error);
    });
    return this.#unread;
  }

  /** As Readable's; an error that waits behind the data comes when there is none left. */
  override read(size?: number): unknown {
    const socket = socketOf(this) as TlsSocket;
    const chunk: unknown = super.read(size);
    if (socket.#unread !== undefined) socket.#noteReader(socket.#unread);
    return chunk;
  }

  #noteReader(unread: UnreadEnd): void {
    unread.postpone();
    if (unread.failure !== undefined && this.#allRead) this.destroy(unread.failure);
  }

  /** @internal */
  [onClosed](error: Error | null): void {
    this.destroy(error ?? undefined);
  }

  #releaseHeld(): void {
    if (this.destroyed) return;
    const goOn = this.#receiver.release();
    if (this.#unread !== undefined) this.#noteReader(this.#unread);
    if (this.#receiver.holds) return;
    if (this.#peerEnded) this.#emitEnd();
    else if (goOn) this.#connection.startFlow();
  }

  /** With `onread` the stream has nothing to pause: reading itself stops. */
  override pause(): this {
    const socket = socketOf(this) as TlsSocket;
    if (socket.#ownBuffer) {
      socket.#connection.stopFlow();
      socket.#receiver.stop();
    }
    return super.pause();
  }

  override resume(): this {
    const socket = socketOf(this) as TlsSocket;
    if (socket.#receiver.holds) process.nextTick(() => socket.#releaseHeld());
    else if (socket.#ownBuffer && !socket.#peerEnded) {
      socket.#receiver.release();
      socket.#connection.startFlow();
    }
    return super.resume();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Going out

  /** The common case, an answer that is taken at once, costs no allocation here. */
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    const socket = socketOf(this) as TlsSocket;
    // SSL_write takes a length of 0 for an error; and it may mark a place in the order of writes.
    if (chunk.length === 0) {
      socket._writev([{ chunk }], callback);
      return;
    }
    const connection = socket.#connection;
    const op = connection.nextOp();
    let done: boolean;
    try {
      connection.assertAlive();
      done = connection.started(connection.native.write(op, chunk));
    } catch (error) {
      socket.#writeFailed(error as Error, callback);
      return;
    }
    if (done) socket.#written(chunk.length, callback);
    else socket.#expectWrite(op, chunk, callback);
  }

  /** The pending operation holds `chunk`, which native code reads from. */
  #expectWrite(op: number, chunk: Buffer, callback: WriteCallback): void {
    this.touch();
    const scope = new WriteScope();
    this.#connection.expect(op, {
      done: () => scope.runInAsyncScope(this.#written, this, chunk.length, callback),
      failed: error => scope.runInAsyncScope(this.#writeFailed, this, error, callback),
    });
  }

  /**
   * A write that fails destroys its stream, and with it what has arrived and is not read yet: so it is told behind that.
   */
  #writeFailed(error: Error, callback: WriteCallback): void {
    // A call in the wrong state says nothing of the connection.
    if (this.destroyed || this.readableEnded || isMisuse(error)) {
      callback(error);
      return;
    }
    const unread = this.#awaitReader();
    if (unread.writes.length === 0) this.once('end', () => unread.failWrites());
    unread.writes.push({ error, callback });
  }

  #written(length: number, callback: WriteCallback): void {
    this.noteWritten(length);
    callback();
  }

  override _writev(chunks: readonly Chunk[], callback: WriteCallback): void {
    const socket = socketOf(this) as TlsSocket;
    if (socket.#turns === undefined) socket.#send(chunks, callback);
    else socket.#turns.send(chunks, (part, done) => socket.#send(part, done), callback);
  }

  /**
   * See {@link Ssl.sendFile}; sent in the order of the stream's writes. It works on a duplicate of the descriptor from
   * the call on, also while it waits for writes before it: the file may be closed at once.
   *
   * @throws Error also `ERR_STREAM_WRITE_AFTER_END`, after `end()`
   */
  async sendFile(file: FileHandle | number, options?: SendFileOptions): Promise<number> {
    const socket = socketOf(this) as TlsSocket;
    const part = checkFilePart(file, options);
    const { signal, timeout } = part.limits;
    if (socket.destroyed) throw closedError(socket.#connection.description);
    if (socket.writableEnded) throw tlsError('ERR_STREAM_WRITE_AFTER_END', 'sendFile() was called after end()');
    const opened = openFile(part);
    const deadline = new Deadline(timeout, signal);
    try {
      return await socket.#sendFile(opened, part, deadline.signal);
    } catch (error) {
      throw deadline.expired ? timeoutError(`sendFile of ${socket.#connection.description}`, timeout ?? 0) : error;
    } finally {
      deadline.clear();
      opened.close();
    }
  }

  async #sendFile(file: NativeFile, part: FilePart, signal: AbortSignal): Promise<number> {
    this.#turns ??= new WriteTurns();
    const done = await this.#turns.take((marker, callback) => void this.write(marker, callback), signal);
    try {
      const sent = await sendFilePart(this.#connection, file, { ...part, limits: { signal, timeout: undefined } });
      this.noteWritten(sent);
      return sent;
    } finally {
      done();
    }
  }

  /** One group after the other: what native code gathers is a copy, and a backlog may be large. */
  #send(chunks: readonly Chunk[], callback: WriteCallback): void {
    this.touch();
    const groups = groupsOf(chunks);
    // Most groups are taken at once: a loop, where callbacks that each start the next group would nest without bound.
    let looping = false;
    let goOn = false;
    const taken = (error?: Error | null): void => {
      goOn = !error;
      if (error) callback(error);
      else if (!looping) loop();
    };
    const loop = (): void => {
      looping = true;
      do {
        goOn = false;
        const { value: group } = groups.next();
        if (group === undefined) {
          this.noteWritten(chunks.reduce((sum, { chunk }) => sum + chunk.length, 0));
          callback();
        } else {
          this.#sendGroup(group, taken);
        }
      } while (goOn);
      looping = false;
    };
    loop();
  }

  #sendGroup(group: readonly Buffer[], callback: WriteCallback): void {
    const [first] = group;
    this.#run(
      error => {
        if (error === null) {
          this.touch();
          callback();
        } else {
          this.#writeFailed(error, callback);
        }
      },
      op =>
        first !== undefined && group.length === 1
          ? this.#connection.native.write(op, first)
          : this.#connection.native.writev(op, group),
    );
  }

  override _final(callback: WriteCallback): void {
    const socket = socketOf(this) as TlsSocket;
    const connection = socket.#connection;
    // Nobody is left to say goodbye to.
    if (connection.closed || connection.error !== null) callback();
    else {
      socket.#run(
        error => socket.#saidGoodbye(error, callback),
        op => connection.native.shutdown(op, false),
      );
    }
  }

  /** Before the handshake is complete there is no goodbye (SSL_shutdown(3)), and nothing was said that would need one. */
  #saidGoodbye(error: Error | null, callback: WriteCallback): void {
    const early = (error as NodeJS.ErrnoException | null)?.code === 'ERR_SSL_SHUTDOWN_WHILE_IN_INIT';
    if (early) this.once('finish', () => this.destroy());
    if (early || error === null) callback();
    else this.#writeFailed(error, callback);
  }

  /** An operation of the stream's own; without a promise, since there is one for each write. */
  #run(ended: (error: Error | null) => void, start: (op: number) => 0 | 1 | 2): void {
    const connection = this.#connection;
    const op = connection.nextOp();
    try {
      connection.assertAlive();
      if (connection.started(start(op))) ended(null);
      else this.#expectEnd(op, start, ended);
    } catch (error) {
      ended(error as Error);
    }
  }

  /** `start` holds the data, and the pending operation holds `start`. */
  #expectEnd(op: number, start: unknown, ended: (error: Error | null) => void): void {
    const scope = new WriteScope();
    const pending: Pending & { start: unknown } = {
      start,
      done: () => scope.runInAsyncScope(ended, null, null),
      failed: error => scope.runInAsyncScope(ended, null, error),
    };
    this.#connection.expect(op, pending);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Ending

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const socket = socketOf(this) as TlsSocket;
    socket.stopTimer();
    socket.#connection.close(error);
    socket.#unread?.end();
    for (const duplex of socket.#connection.duplexes) duplex.close(error === null && socket.writableFinished);
    callback(socket.#disposing ? null : error);
  }

  /** Says goodbye if there is somebody to say it to, then destroys; whether that worked is nobody's concern any more. */
  override async [Symbol.asyncDispose](): Promise<void> {
    const socket = socketOf(this) as TlsSocket;
    if (socket.destroyed) return;
    socket.#disposing = true;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, disposeTimeout);
      socket.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    socket.destroy();
  }

  /** Ends the writable side, and destroys the socket when everything was handed to the transport. */
  destroySoon(): void {
    const socket = socketOf(this);
    if (socket.writableFinished) socket.destroy();
    else socket.end(() => socket.destroy());
  }
}
