// In the place of node's TLSWrap: what node's own JavaScript of a TLS socket calls, over a connection of this package.
//
// The connection is made when the handshake begins: until then node tells what it is to be like. A client of node's begins
// by start(), a server by the first readStart().
import type { Duplex } from 'node:stream';
import type { Status } from '../../types/binding.d.ts';
import { sessionPolicy } from '../connection/settings.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { VerifyMode } from '../native/constants.ts';
import { bytesOf, type Piece } from '../stream/pieces.ts';
import { pushCopies } from '../stream/receiver.ts';
import type { WriteCallback } from '../stream/write-turns.ts';
import { Writer, type WriterOwner } from '../stream/writer.ts';
import { Bio } from '../transport/bio.ts';
import {
  type Connection,
  type Flow,
  onClosed,
  onData,
  onEnd,
  onFailed,
  onSendingFailed,
} from '../transport/native-connection.ts';
import { HandleFacts } from './facts.ts';
import { poolOf } from './io.ts';
import { asksNobody, makeSsl } from './make-ssl.ts';
import { errnoOf, nodeError, systemError, wrongVersion } from './node-errors.ts';
import type { AnySocket } from './node-tls.ts';
import type { Context } from './secure-context.ts';

/** A handle of node's own: TCP, Pipe, or what stands for a stream of JavaScript. */
export interface ParentHandle {
  readonly fd?: number;
  reading?: boolean;
  readStop?(): number;
  close(done?: () => void): void;
  ref?(): void;
  unref?(): void;
  hasRef?(): boolean;
  readonly isStreamBase?: boolean;
}

export interface ShutdownRequest {
  oncomplete(this: ShutdownRequest, status: number): void;
}

interface Waiting {
  readonly pieces: readonly Piece[];
  readonly callback: WriteCallback;
}

/** SSL_CB_HANDSHAKE_START of <openssl/ssl.h>. */
const handshakeStart = 0x10;

export class Handle extends HandleFacts implements Flow, WriterOwner {
  readonly stream: AnySocket & WriterOwner['stream'];
  /** node's own name. */
  readonly _parent: ParentHandle;
  readonly _parentWrap: AnySocket | null;
  readonly _secureContext: { readonly singleUse?: boolean; context: unknown };
  readonly context: Context;
  readonly #writer = new Writer(this);
  #connection: Connection | undefined;
  #begun = false;
  #handshakeDone = false;
  /** Data goes in and out: node has looked at the peer's certificate. */
  #open = false;
  #closed = false;
  #destroyed = false;
  #unrefed = false;
  #userBuffer: Uint8Array | undefined;
  #waiting: Waiting[] | undefined;
  /** Clear bytes whose records the stream beneath has not taken. */
  #inStream = 0;
  #received: Buffer[] | undefined;
  #ending: ShutdownRequest | undefined;
  bytesRead = 0;
  /** A stream of C++'s that gets the data, and copies it at once; see stream-handle.ts. */
  consumer: { readBuffer(data: Uint8Array): void; emitEOF(): void } | undefined;
  /** Called when the protocol is known, and nobody has been told yet. One for all: a closure costs each connection 100 bytes. */
  static onnegotiated: ((handle: Handle) => void) | undefined;

  constructor(
    socket: AnySocket,
    parent: ParentHandle,
    wrap: AnySocket | null,
    secureContext: Handle['_secureContext'],
    context: Context,
    server: boolean,
  ) {
    super(socket, server);
    this.stream = socket as Handle['stream'];
    this._parent = parent;
    this._parentWrap = wrap;
    this._secureContext = secureContext;
    this.context = context;
  }

  /**
   * Nobody goes around us in C++: whoever is told "true" hands this to C++, which takes it for what it is not. A client of
   * http2 alone asks before the handshake, and takes the handle behind it, when there is a stream of node's.
   */
  get isStreamBase(): boolean {
    const { server, protocols } = this.settings;
    return !server && !this.#handshakeDone && protocols?.includes('h2') === true;
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('the handshake has not begun');
    return this.#connection;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Beginning

  start(): void {
    this.#begin();
  }

  /** What node had read of a socket before it became ours. */
  receive(data: Buffer): void {
    this.#received ??= [];
    this.#received.push(data);
  }

  writesIssuedByPrevListenerDone(): void {}

  #begin(): void {
    if (this.#begun || this.#closed) return;
    this.#begun = true;
    try {
      this.#make();
    } catch (error) {
      process.nextTick(() => this.#fail(error as Error));
    }
  }

  #make(): void {
    const fd = this.#descriptor();
    const pool = fd === undefined ? undefined : poolOf(this.socket);
    const ssl = makeSsl(this.context.ssl, this, pool);
    this.ssl = ssl;
    const connection = connectionOf(ssl);
    this.#connection = connection;
    if (fd !== undefined && this.#isPlain) {
      this.#releaseParent();
      this.#handshake(connection, op => connection.begin(op, fd, pool !== undefined && this.#readsAtOnce));
    } else {
      this.#prepare(ssl, connection, fd);
      this.#handshake(connection, op => connection.native.handshake(op));
    }
  }

  /** A server's connection of which node has told nothing that must be said before its handshake. */
  get #isPlain(): boolean {
    const { server, requireCert, trace, sendFragment } = this.settings;
    return server && !requireCert && !trace && sendFragment === undefined && !this.#unrefed;
  }

  /** Nobody is asked, so that node has looked at what there is when it hears of the handshake; and HTTP/2 reads elsewhere. */
  get #readsAtOnce(): boolean {
    return this.reading && asksNobody(this.settings) && this.settings.protocols?.includes('h2') !== true;
  }

  #prepare(ssl: Ssl, connection: Connection, fd: number | undefined): void {
    const { server, requireCert, trace, sendFragment } = this.settings;
    connection.native.setStrictEnd(false);
    if (fd === undefined) this.#useStream(ssl);
    else this.#useDescriptor(connection, fd);
    if (server && requireCert) requireCertificate(connection);
    if (this.#unrefed) connection.native.unref();
    if (trace) connection.native.trace();
    if (sendFragment !== undefined) ssl.setMaxSendFragment(sendFragment);
  }

  #countHandshake(): void {
    this.onhandshakestart?.(Math.ceil(performance.now()));
  }

  /** node counts renegotiations as they begin, and ends the connection at tls.CLIENT_RENEG_LIMIT. */
  #watchRenegotiations(ssl: Ssl): void {
    if (ssl.version === 'TLSv1.3') return;
    ssl.on('renegotiate', () => this.onhandshakedone?.());
    if (!this.settings.server) return;
    ssl.on('info', ({ where }) => {
      if ((where & handshakeStart) !== 0) this.#countHandshake();
    });
  }

  /** Undefined: the transport is a stream of JavaScript, a part of it has been read, or it carries another one's records. */
  #descriptor(): number | undefined {
    const { _parent: parent, _parentWrap: wrap } = this;
    const early = wrap === null ? 0 : this.#giveBack(wrap);
    const { fd } = parent;
    return !(parent instanceof Handle) && typeof fd === 'number' && fd >= 0 && early === 0 ? fd : undefined;
  }

  /** A duplicate of it: node's own handle stays, with its addresses and options, and reads nothing any more. */
  #useDescriptor(connection: Connection, fd: number): void {
    this.#releaseParent();
    connection.setFd(fd, false, true);
  }

  #releaseParent(): void {
    if (this._parent.reading) this._parent.readStop?.();
    // Whatever its socket does next, such as the first read of one that has just connected, begins no reading there.
    this._parent.reading = true;
  }

  #useStream(ssl: Ssl): void {
    if (this._parentWrap === null) throw new Error('the socket is not connected');
    const bio = Bio.duplex(this._parentWrap as unknown as Duplex, { close: true });
    ssl.setBio(bio, bio);
  }

  /** Bytes that are read before everything that comes from the descriptor. */
  #giveBack(wrap: AnySocket): number {
    if (this.#received !== undefined) wrap.unshift(Buffer.concat(this.#received));
    this.#received = undefined;
    return wrap.readableLength;
  }

  #handshake(connection: Connection, begin: (op: number) => Status): void {
    const op = connection.nextOp();
    const status = begin(op);
    connection.flow = this;
    connection.pin();
    if (this.settings.server) this.#countHandshake();
    const done = (): void => this.secured();
    if (connection.started(status)) queueMicrotask(done);
    else connection.expect(op, { done, failed: () => {} });
  }

  /**
   * A connection that was accepted, and has begun, before node's socket was made for it. Whoever hands it over tells of its
   * handshake by {@link secured} or {@link onFailed}.
   */
  adopt(ssl: Ssl): void {
    this.#begun = true;
    this.ssl = ssl;
    this.#connection = connectionOf(ssl);
    this.#connection.flow = this;
    this.#connection.pin();
    this.#countHandshake();
  }

  secured(): void {
    if (this.#closed || this.#handshakeDone) return;
    this.#handshakeDone = true;
    if (this.ssl !== undefined) this.#watchRenegotiations(this.ssl);
    Handle.onnegotiated?.(this);
    if (this.settings.requestOCSP) this.tellStatus(this.ssl?.ocspResponse ?? null);
    try {
      this.onhandshakedone?.();
    } finally {
      // Also where a listener of 'secureConnection' throws: the connection goes on, and ends with its peer.
      this.release();
    }
  }

  #takeWaiting(): readonly Waiting[] {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    return waiting;
  }

  /** Nothing that was written before may leave before node has looked at the peer's certificate. */
  release(): void {
    if (this.#open || this.#closed || this.socket.destroyed || this.socket['_secureEstablished'] !== true) return;
    this.#open = true;
    for (const { pieces, callback } of this.#takeWaiting()) this.#send(pieces, callback);
    if (this.#ending !== undefined) this.shutdown(this.#ending);
    if (this.reading) this.connection.startFlow();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Data

  readStart(): number {
    this.reading = true;
    // A client of node's begins by start(), or by its first write.
    if (this.settings.server) this.#begin();
    if (this.#open) this.connection.startFlow();
    return 0;
  }

  readStop(): number {
    this.reading = false;
    this.#connection?.stopFlow();
    return 0;
  }

  useUserBuffer(buffer: Uint8Array): void {
    this.#userBuffer = buffer;
  }

  /** Also of the socket beneath, which is its `_parent`. */
  touch(): void {
    (this.socket['_unrefTimer'] as () => void).call(this.socket);
  }

  [onData](bytes: Uint8Array, offset: number, length: number): void {
    if (this.#closed) return;
    this.bytesRead += length;
    this.touch();
    if (this.consumer !== undefined) this.consumer.readBuffer(bytes.subarray(offset, offset + length));
    else if (this.#userBuffer !== undefined) this.#fillUsers(bytes.subarray(offset, offset + length));
    else if (!pushCopies(this.socket, bytes, offset, length)) this.readStop();
  }

  /** As node's onStreamRead() with the option `onread`. */
  #fillUsers(bytes: Uint8Array): void {
    const { onread } = this.socket['_tlsOptions'] as {
      onread: { buffer: unknown; callback(count: number, buffer: Uint8Array): unknown };
    };
    for (let at = 0; at < bytes.length; ) {
      const buffer = this.#userBuffer as Uint8Array;
      const part = bytes.subarray(at, at + buffer.length);
      buffer.set(part);
      at += part.length;
      if (onread.callback.call(this.socket, part.length, buffer) === false) this.readStop();
      if (typeof onread.buffer === 'function') this.#userBuffer = onread.buffer() as Uint8Array;
    }
  }

  [onEnd](): void {
    this.#endOfData();
  }

  #endOfData(): void {
    if (this.#closed) return;
    if (this.consumer !== undefined) {
      this.consumer.emitEOF();
      return;
    }
    this.socket.push(null);
    this.socket.read(0);
  }

  write(pieces: readonly Piece[], callback: WriteCallback): void {
    if (this.#open) {
      this.#send(pieces, callback);
      return;
    }
    this.#waiting ??= [];
    this.#waiting.push({ pieces, callback });
    this.#begin();
  }

  #send(pieces: readonly Piece[], told: WriteCallback): void {
    const [first] = pieces;
    const callback = this.connection.duplexes.length === 0 ? told : this.#whenTaken(pieces, told);
    if (pieces.length === 1 && first !== undefined) this.#writer.write(first.chunk, first.encoding, callback);
    else this.#writer.writev(pieces, callback);
  }

  /** Bytes that the connection has not taken. */
  get writeQueueSize(): number {
    return this.bytesWritten - this.#writer.bytesWritten + this.#inStream;
  }

  /** A write over a stream of JavaScript is over when that stream has taken it. */
  #whenTaken(pieces: readonly Piece[], told: WriteCallback): WriteCallback {
    const [duplex] = this.connection.duplexes;
    return error => {
      if (error || duplex === undefined) {
        told(error);
        return;
      }
      this.#inStream += bytesOf(pieces);
      const tell = (lost: boolean): void => {
        // A Writable has one write under way.
        this.#inStream = 0;
        told(lost ? systemError(duplex.error === null ? 'ECANCELED' : 'EPIPE', 'write') : null);
      };
      // Behind the events of the same turn, and behind what the stream does with what it has taken, as Node's own stream.
      setImmediate(() => duplex.onceWritten(lost => setImmediate(tell, lost)));
    };
  }

  /** As node, which counts what is under way. */
  get bytesWritten(): number {
    let bytes = this.#writer.handedOver;
    for (const { pieces } of this.#waiting ?? []) bytes += bytesOf(pieces);
    return bytes;
  }

  writeFailed(error: Error, callback: WriteCallback): void {
    // What a connection failed with is told by onerror, and node's own destroy() ends what waits.
    callback(this.#connection?.error === null && !this.#closed ? nodeError(error, 'write') : null);
  }

  /** 1: there is nobody to say goodbye to. */
  shutdown(request: ShutdownRequest): number {
    if (this.#closed || (this.#begun && (this.#connection === undefined || this.#connection.error !== null))) return 1;
    if (!this.#open) {
      this.#endUnopened(request);
      return 0;
    }
    this.#writer.final(() => setImmediate(() => request.oncomplete(0)));
    return 0;
  }

  /** A server that ends in the handshake has nothing to say, and the client nothing to hear: as in 'tlsClientError' of one that is late. */
  #endUnopened(request: ShutdownRequest): void {
    if (!this.settings.server || this.#handshakeDone || this.#waiting !== undefined) {
      this.#ending = request;
      return;
    }
    setImmediate(() => {
      request.oncomplete(0);
      this.socket.destroy();
    });
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Ending

  [onFailed](error: Error): void {
    this.#fail(this.#connection?.transportError ?? error);
  }

  /** Who writes hears of it, or who reads to the end. */
  [onSendingFailed](): void {}

  [onClosed](error: Error | null): void {
    if (!this.#closed && !this.#destroyed) this.socket.destroy(error ?? undefined);
  }

  /** As node: an end is an end, a failure of the transport destroys, and one of TLS is told by `onerror`. */
  #fail(error: Error): void {
    if (this.#closed || this.socket.destroyed) return;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_SSL_UNEXPECTED_EOF') this.#endOfData();
    // node's JavaScript has told: it has counted a renegotiation as it began, and listens to the stream beneath.
    else if (code === 'ERR_TLS_TOO_MANY_RENEGOTIATIONS' || this.#isOfStream(error)) this.socket.destroy();
    else if (errnoOf(error) !== undefined) this.socket.destroy(nodeError(error, 'read'));
    else this.onerror?.(nodeError(error, 'read'));
  }

  /** Before the handshake is over node's listener keeps it to itself. */
  #isOfStream(error: Error): boolean {
    return error === this.#connection?.transportError && this.socket['_controlReleased'] === true;
  }

  /** A client that begins one is not answered; node's JavaScript hears that it begins, and tells. */
  disableRenegotiation(): void {
    if (!this.#closed) this.#connection?.native.forbidRenegotiation();
  }

  renegotiate(): void {
    const { ssl } = this;
    if (ssl === undefined || this.#closed) return;
    if (ssl.version === 'TLSv1.3') throw wrongVersion();
    ssl.renegotiate().catch((error: Error) => this.#fail(error));
  }

  newSessionDone(): void {
    process.nextTick(() => this.release());
  }

  /** node's JavaScript goes on with the socket afterwards. */
  destroySSL(): void {
    this.#destroyed = true;
    this.#connection?.close();
  }

  close(done?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.socket['ssl'] = null;
    const failed = this.socket['errored'] as Error | null;
    this.#connection?.close();
    for (const duplex of this.#connection?.duplexes ?? []) duplex.close(failed === null);
    this.#closeParent(() => {
      this.#cancelWaiting();
      done?.();
    });
  }

  /** As node, behind the error that says why: who writes would otherwise tell of this one. */
  #cancelWaiting(): void {
    for (const { callback } of this.#takeWaiting()) callback(systemError('ECANCELED', 'write'));
  }

  #closeParent(done: () => void): void {
    const wrap = this._parentWrap;
    if (wrap === null) {
      this._parent.close(done);
    } else if (wrap['_handle'] === null || wrap['_handle'] !== this._parent) {
      setImmediate(done);
    } else {
      wrap.once('close', done);
      // A stream of JavaScript has time to send what was written last, and is destroyed then.
      if (this.#connection === undefined || this.#connection.duplexes.length === 0) wrap.destroy();
    }
  }

  /** resetAndDestroy(): our descriptor would keep the connection, so it goes first. */
  reset(done?: () => void): number {
    this.#closed = true;
    this.#connection?.close();
    const parent = this._parent as unknown as { reset?(done?: () => void): number };
    return parent.reset?.(done) ?? 0;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The loop, and the transport

  hasRef(): boolean {
    return !this.#unrefed;
  }

  ref(): void {
    this.#unrefed = false;
    this._parent.ref?.();
    if (!this.#closed) this.#connection?.native.ref();
  }

  unref(): void {
    this.#unrefed = true;
    this._parent.unref?.();
    if (!this.#closed) this.#connection?.native.unref();
  }

  get fd(): number {
    return this._parent.fd ?? -1;
  }
}

/** A client without one is told by an alert; whether it is good node decides. */
function requireCertificate(connection: Connection): void {
  const mode = VerifyMode.Peer | VerifyMode.FailIfNoPeerCertificate;
  connection.started(connection.native.setVerify(mode, true, false, sessionPolicy(null, null), undefined));
}

/** What node's TLSWrap hands on to the handle beneath. */
const handedOn = [
  'open',
  'bind',
  'listen',
  'connect',
  'bind6',
  'connect6',
  'getsockname',
  'getpeername',
  'setNoDelay',
  'setKeepAlive',
  'setSimultaneousAccepts',
  'setBlocking',
  'setPendingInstances',
  'setTypeOfService',
  'getTypeOfService',
] as const;

for (const name of handedOn) {
  Object.defineProperty(Handle.prototype, name, {
    configurable: true,
    writable: true,
    value(this: Handle, ...args: unknown[]): unknown {
      const method = (this._parent as unknown as Record<string, unknown>)[name];
      return typeof method === 'function' ? Reflect.apply(method, this._parent, args) : undefined;
    },
  });
}
