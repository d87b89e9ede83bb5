// A connection as a stream, whatever the class of the stream: a class has one base, so what streams over a connection have
// in common is an object that each of them holds.
import type { Duplex } from 'node:stream';
import { tlsError } from '../base/coded-error.ts';
import { optionalBoolean } from '../base/validate.ts';
import { observeMask } from '../connection/inform.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { contextArgument } from '../context/context.ts';
import { assertMethodCarries } from '../context/methods.ts';
import {
  type Connection,
  type Flow,
  type Forwarder,
  isMisuse,
  onClosed,
  onData,
  onEnd,
  onFailed,
  onForward,
  onSendingFailed,
} from '../transport/native-connection.ts';
import { IdleTimer } from './idle-timer.ts';
import { type HoldingReceiver, type OnReadOptions, onReadReceiver, pushCopies } from './receiver.ts';
import { UnreadEnd } from './unread-end.ts';
import type { WriteCallback } from './write-turns.ts';
import { Writer, type WriterOwner } from './writer.ts';

export interface StreamCoreOptions {
  readonly onread?: OnReadOptions | null | undefined;
  readonly strictEnd?: boolean | undefined;
}

/** What the core asks of its stream. */
export type CoreStream = WriterOwner['stream'] &
  Pick<
    Duplex,
    | 'push'
    | 'read'
    | 'end'
    | 'emit'
    | 'listenerCount'
    | 'readableEnded'
    | 'readableLength'
    | 'writableFinished'
    | 'writableLength'
  >;

/** Milliseconds that {@link StreamCore.dispose} gives the transport to take our close_notify. */
const disposeTimeout = 2_000;

/** Events of the Ssl that a stream emits too. */
const forwarded: ReadonlySet<unknown> = new Set(['keyUpdate', 'renegotiate', 'session', 'keylog']);

/**
 * Its stream calls, from methods of the same name, `read` (after the base class's), `pause` and `resume` (before it); from
 * `_read` {@link startReading}; from `_write`, `_writev` and `_final` the methods of {@link writer}; from `_destroy` {@link close}.
 */
export class StreamCore implements Flow, Forwarder, WriterOwner {
  readonly stream: CoreStream;
  readonly ssl: Ssl;
  readonly connection: Connection;
  readonly writer = new Writer(this);
  /** For the option `onread`; without it data is pushed into the stream. */
  readonly #receiver: HoldingReceiver | undefined;
  /** Created lazily. */
  #idle: IdleTimer | undefined;
  /** What comes behind the data that is not read yet. */
  #unread: UnreadEnd | undefined;
  #bytesRead = 0;
  #peerEnded = false;
  #disposing = false;

  /** @param ssl - with its transport; a closed one is taken too */
  constructor(stream: CoreStream, ssl: Ssl, options: StreamCoreOptions) {
    const connection = connectionOf(ssl);
    if (connection.flow !== null)
      throw tlsError('ERR_TLS_SSL_IN_USE', `${connection.description} has a TlsSocket already`);
    if (!connection.closed && connection.error === null) connection.assertUsable();
    assertMethodCarries(contextArgument(ssl.context, 'ssl.context').policy.method, 'stream', 'a TlsSocket');
    this.stream = stream;
    this.ssl = ssl;
    this.connection = connection;
    if (!optionalBoolean(options.strictEnd, 'options.strictEnd', true)) connection.native.setStrictEnd(false);
    const { onread } = options;
    this.#receiver = onread === undefined || onread === null ? undefined : onReadReceiver(connection, onread);
  }

  /** From now on the stream is told; to be called when its methods can be. */
  attach(paused: boolean): void {
    const { connection, stream } = this;
    connection.flow = this;
    connection.forwarder = this;
    connection.pin();
    // It may have died between its handshake and this moment.
    if (connection.error !== null) stream.destroy(connection.error);
    else if (connection.closed) stream.destroy();
    if (!paused) stream.read(0);
  }

  /** To be called by the stream: some events are recorded only while somebody listens. */
  listenersChanged(name: string | symbol, listening: boolean): void {
    if (forwarded.has(name)) this.connection.observe('socket', observeMask(name), listening);
  }

  [onForward](name: string, args: readonly unknown[]): void {
    if (forwarded.has(name)) this.stream.emit(name, ...args);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Coming in

  /** Clear bytes. */
  get bytesRead(): number {
    return this.#bytesRead;
  }

  startReading(): void {
    this.connection.startFlow();
  }

  [onData](bytes: Uint8Array, offset: number, length: number): void {
    this.#bytesRead += length;
    this.touch();
    const receiver = this.#receiver;
    const goOn =
      receiver === undefined ? pushCopies(this.stream, bytes, offset, length) : receiver.receive(bytes, offset, length);
    if (!goOn) this.connection.stopFlow();
  }

  [onEnd](): void {
    this.#peerEnded = true;
    if (!this.#holds) this.#emitEnd();
  }

  #emitEnd(): void {
    this.stream.push(null);
    // As net.Socket: an end that nothing is before is told to those too who never read.
    this.stream.read(0);
  }

  /** Data that came, but was not wanted yet; the stream's own buffer is not counted. */
  get #holds(): boolean {
    return this.#receiver?.holds === true;
  }

  /** An error that waits behind the data comes when there is none left. */
  read(): void {
    if (this.#unread !== undefined) this.#noteReader(this.#unread);
  }

  #noteReader(unread: UnreadEnd): void {
    unread.postpone();
    if (unread.failure !== undefined && this.#allRead) this.stream.destroy(unread.failure);
  }

  /** With `onread` the stream has nothing to pause: reading itself stops. */
  pause(): void {
    if (this.#receiver === undefined) return;
    this.connection.stopFlow();
    this.#receiver.stop();
  }

  resume(): void {
    const receiver = this.#receiver;
    if (receiver === undefined) return;
    if (receiver.holds) {
      process.nextTick(() => this.#releaseHeld(receiver));
    } else if (!this.#peerEnded) {
      receiver.release();
      this.connection.startFlow();
    }
  }

  #releaseHeld(receiver: HoldingReceiver): void {
    if (this.stream.destroyed) return;
    const goOn = receiver.release();
    this.read();
    if (receiver.holds) return;
    if (this.#peerEnded) this.#emitEnd();
    else if (goOn) this.connection.startFlow();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Failing

  [onFailed](error: Error): void {
    const { stream, connection } = this;
    // Both sides have said all they had to say: how the transport ends after that is nobody's concern.
    if (this.#peerEnded && stream.writableEnded && stream.writableLength === 0) stream.destroy();
    else this.#failBehindData(connection.transportError ?? error);
  }

  /** Also where nothing that was written failed for it: nobody may write or read any more. */
  [onSendingFailed](error: Error): void {
    const { stream, connection } = this;
    if (!stream.destroyed && !stream.readableEnded) this.#awaitReader().cause = connection.transportError ?? error;
  }

  /** Data that has arrived comes before the error that the connection ended with, unless we have ended it ourselves. */
  #failBehindData(error: NodeJS.ErrnoException): void {
    if (this.#allRead || error.code === 'ERR_TLS_CLOSED') this.stream.destroy(error);
    else this.#awaitReader().failure = error;
  }

  get #allRead(): boolean {
    return this.stream.readableLength === 0 && !this.#holds;
  }

  #awaitReader(): UnreadEnd {
    this.#unread ??= new UnreadEnd(error => {
      if (!this.stream.readableEnded) this.stream.destroy(error);
    });
    return this.#unread;
  }

  /**
   * A write that fails destroys its stream, and with it what has arrived and is not read yet: so it is told behind that.
   */
  writeFailed(error: Error, callback: WriteCallback): void {
    const { stream } = this;
    // A call in the wrong state says nothing of the connection.
    if (stream.destroyed || stream.readableEnded || isMisuse(error)) {
      callback(error);
      return;
    }
    const unread = this.#awaitReader();
    if (unread.writes.length === 0) stream.once('end', () => unread.failWrites());
    unread.writes.push({ error, callback });
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Idling

  /** Milliseconds without a byte in either direction after which the stream emits `'timeout'`; 0: never. */
  get idleTimeout(): number {
    return this.#idle?.milliseconds ?? 0;
  }

  set idleTimeout(milliseconds: number) {
    const { connection, stream } = this;
    this.#idle ??= new IdleTimer(
      () => connection.inScope(() => void stream.emit('timeout'), undefined),
      () => connection.native.idleTime,
    );
    this.#idle.set(stream.destroyed ? 0 : milliseconds);
  }

  /** Native code keeps the time, and the timer asks for it, but not behind a timeout that was told. */
  touch(): void {
    this.#idle?.touch();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Ending

  [onClosed](error: Error | null): void {
    this.stream.destroy(error ?? undefined);
  }

  /** @returns the error that the stream is to tell */
  close(error: Error | null): Error | null {
    const { connection, stream } = this;
    this.#idle?.stop();
    connection.close(error);
    this.#unread?.end();
    for (const duplex of connection.duplexes) duplex.close(error === null && stream.writableFinished);
    return this.#disposing ? null : error;
  }

  /** Says goodbye if there is somebody to say it to, then destroys; whether that worked is nobody's concern any more. */
  async dispose(): Promise<void> {
    const { stream } = this;
    if (stream.destroyed) return;
    this.#disposing = true;
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, disposeTimeout);
      stream.end(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    stream.destroy();
  }
}
