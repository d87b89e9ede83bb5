import type { X509Certificate } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { Duplex } from 'node:stream';
import type { NativeAddress, NativeConnection } from '../../types/binding.d.ts';
import { invalidArgType, invalidThis } from '../base/coded-error.ts';
import {
  longestTimeout,
  optionalBoolean,
  validateFunction,
  validateInteger,
  validateObject,
} from '../base/validate.ts';
import { listenersChanged, watchListeners } from '../base/watch-listeners.ts';
import type {
  KeyUpdateOptions,
  KeyUpdateResult,
  RenegotiateOptions,
  RequestClientCertificateOptions,
  SendFileOptions,
} from '../connection/options.ts';
import type { Ssl } from '../connection/ssl.ts';
import type { EphemeralKeyInfo } from '../connection/state.ts';
import { sendFragment } from '../context/options.ts';
import { Authorization, type Verified } from './authorization.ts';
import { bytesOf, type Piece } from './pieces.ts';
import type { OnReadOptions } from './receiver.ts';
import type { AddListener } from './socket-events.ts';
import { StreamCore } from './stream-core.ts';
import type { WriteCallback } from './write-turns.ts';

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

const maxSeconds = 32767;

let own: (socket: unknown) => TlsSocket;

/** Unix sockets have no address to tell, as in net.Socket. */
function internet(address: NativeAddress | null | undefined): NativeAddress | undefined {
  return address === null || address === undefined || address.family === 'unix' ? undefined : address;
}

/**
 * A connection as a stream. Its clear bytes are read and written; `ssl` is the connection under it.
 *
 * The end of the stream is the peer's close_notify. If the transport ends without, the stream is destroyed with
 * `ERR_SSL_UNEXPECTED_EOF`, unless the option `strictEnd` is false. Ending the writable side sends our close_notify. A fatal error closes everything.
 */
export class TlsSocket extends Duplex {
  /** Always true, as in node:tls. */
  readonly encrypted = true;
  /** Always false: a TlsSocket is connected when it is made. */
  readonly connecting = false;
  declare on: AddListener<this>;
  declare once: AddListener<this>;
  declare off: AddListener<this>;
  declare addListener: AddListener<this>;
  declare removeListener: AddListener<this>;
  declare prependListener: AddListener<this>;
  declare prependOnceListener: AddListener<this>;
  readonly #core: StreamCore;
  /** Created lazily. */
  #authorization: Authorization | undefined;
  #localAddress: NativeAddress | null | undefined;

  static {
    own = socket => {
      if (typeof socket !== 'object' || socket === null || !(#core in socket)) throw invalidThis('TlsSocket');
      return socket;
    };
    watchListeners(TlsSocket.prototype, own);
  }

  /**
   * @param ssl - with its transport; from now on it is the socket that reads. A handshake that was not made is made.
   * Around a closed one the socket is destroyed from the beginning.
   */
  constructor(ssl: Ssl, options: TlsSocketOptions = {}) {
    validateObject(options, 'options');
    const allowHalfOpen = optionalBoolean(options.allowHalfOpen, 'options.allowHalfOpen', false);
    super({ allowHalfOpen, autoDestroy: true, emitClose: true, decodeStrings: false });
    this.#core = new StreamCore(this, ssl, options);
    this.#core.attach(optionalBoolean(options.pauseOnConnect, 'options.pauseOnConnect', false));
  }

  /** The connection under the stream. */
  get ssl(): Ssl {
    return own(this).#core.ssl;
  }

  /** @internal */
  [listenersChanged](name: string | symbol, listening: boolean): void {
    this.#core.listenersChanged(name, listening);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The stream

  override _read(): void {
    own(this).#core.startReading();
  }

  override read(size?: number): unknown {
    const core = own(this).#core;
    const chunk: unknown = super.read(size);
    core.read();
    return chunk;
  }

  /** With the option `onread` reading itself stops. */
  override pause(): this {
    own(this).#core.pause();
    return super.pause();
  }

  override resume(): this {
    own(this).#core.resume();
    return super.resume();
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: WriteCallback): void {
    own(this).#core.writer.write(chunk, encoding, callback);
  }

  override _writev(pieces: readonly Piece[], callback: WriteCallback): void {
    own(this).#core.writer.writev(pieces, callback);
  }

  /**
   * See {@link Ssl.sendFile}; sent in the order of the stream's writes. It works on a duplicate of the descriptor from
   * the call on, also while it waits for writes before it: the file may be closed at once.
   *
   * @throws Error also `ERR_STREAM_WRITE_AFTER_END`, after `end()`
   */
  async sendFile(file: FileHandle | number, options?: SendFileOptions): Promise<number> {
    return own(this).#core.writer.sendFile(file, options);
  }

  /**
   * As tls.TLSSocket's: false for a size that is none, and when closed. See {@link Ssl.setMaxSendFragment}.
   *
   * @param size - from 512 to 16384, the default
   */
  setMaxSendFragment(size: number = sendFragment.max): boolean {
    const ssl = own(this).#openSsl;
    if (typeof size !== 'number') throw invalidArgType('size', 'a number', size);
    if (ssl === undefined || !Number.isInteger(size) || size < sendFragment.min || size > sendFragment.max)
      return false;
    ssl.setMaxSendFragment(size);
    return true;
  }

  override _final(callback: WriteCallback): void {
    own(this).#core.writer.final(callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    callback(own(this).#core.close(error));
  }

  /** Says goodbye if there is somebody to say it to, then destroys; whether that worked is nobody's concern any more. */
  override async [Symbol.asyncDispose](): Promise<void> {
    return own(this).#core.dispose();
  }

  /** Ends the writable side, and destroys the socket when everything was handed to the transport. */
  destroySoon(): void {
    const socket = own(this);
    if (socket.writableFinished) socket.destroy();
    else socket.end(() => socket.destroy());
  }

  // -------------------------------------------------------------------------------------------------------------------
  // New keys

  /** See {@link Ssl.keyUpdate}. */
  async keyUpdate(options?: KeyUpdateOptions): Promise<KeyUpdateResult> {
    return own(this).#core.ssl.keyUpdate(options);
  }

  /** See {@link Ssl.renegotiate}. */
  async renegotiate(options?: RenegotiateOptions): Promise<void> {
    return own(this).#core.ssl.renegotiate(options);
  }

  /** See {@link Ssl.disableRenegotiation}. */
  disableRenegotiation(): void {
    own(this).#openSsl?.disableRenegotiation();
  }

  /** See {@link Ssl.requestClientCertificate}. */
  async requestClientCertificate(options?: RequestClientCertificateOptions): Promise<void> {
    return own(this).#core.ssl.requestClientCertificate(options);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The peer

  /** Whether the peer showed a certificate and it was verified. */
  get authorized(): boolean {
    return own(this).#verified.authorized;
  }

  /** Why not, with the name that node:tls gives it (`'DEPTH_ZERO_SELF_SIGNED_CERT'`); null if nothing was wrong. */
  get authorizationError(): string | null {
    return own(this).#verified.error;
  }

  get #verified(): Verified {
    this.#authorization ??= new Authorization(this.#core.connection);
    return this.#authorization.current;
  }

  /** Undefined when it is closed: nothing is left to show then. */
  get #openSsl(): Ssl | undefined {
    const { ssl } = this.#core;
    return ssl.closed ? undefined : ssl;
  }

  /** As tls.TLSSocket's: a plain object, empty if the peer sent none; null when closed. */
  getPeerCertificate(): ReturnType<X509Certificate['toLegacyObject']> | Record<string, never> | null {
    const ssl = own(this).#openSsl;
    return ssl === undefined ? null : (ssl.peerCertificate?.toLegacyObject() ?? {});
  }

  /** As tls.TLSSocket's. */
  getPeerX509Certificate(): X509Certificate | undefined {
    return own(this).#openSsl?.peerCertificate ?? undefined;
  }

  /** The own certificate. */
  getX509Certificate(): X509Certificate | undefined {
    return own(this).#openSsl?.certificate ?? undefined;
  }

  /** As tls.TLSSocket's: the name, or false if no protocol was agreed on. */
  get alpnProtocol(): string | false {
    return own(this).#openSsl?.alpnProtocol ?? false;
  }

  /** As tls.TLSSocket's: the name that the client sent, or false. */
  get servername(): string | false {
    return own(this).#openSsl?.servername ?? false;
  }

  getProtocol(): string | null {
    return own(this).#openSsl?.version ?? null;
  }

  getCipher(): { name: string; standardName: string; version: string } | undefined {
    const cipher = own(this).#openSsl?.cipher;
    if (cipher === null || cipher === undefined) return undefined;
    const { name, standardName, version } = cipher;
    return { name, standardName, version };
  }

  /**
   * As tls.TLSSocket's: the server's temporary key, or an empty object if there is none; null on a server, and when closed.
   * See {@link Ssl.ephemeralKey}.
   */
  getEphemeralKeyInfo(): EphemeralKeyInfo | Record<string, never> | null {
    const ssl = own(this).#openSsl;
    return ssl === undefined || ssl.side === 'server' ? null : (ssl.ephemeralKey ?? {});
  }

  /** As tls.TLSSocket's; see {@link Ssl.sharedSigalgs}. Empty when closed. */
  getSharedSigalgs(): readonly string[] {
    return own(this).#openSsl?.sharedSigalgs ?? [];
  }

  /** What {@link SslSession.serialize} gives; the option `session` takes it. */
  getSession(): Buffer | undefined {
    return own(this).#openSsl?.session?.serialize();
  }

  /** As tls.TLSSocket's: see {@link SslSession.ticket}. Undefined on a server, if there is none, and when closed. */
  getTLSTicket(): Buffer | undefined {
    const ssl = own(this).#openSsl;
    return ssl?.side === 'client' ? (ssl.session?.ticket ?? undefined) : undefined;
  }

  isSessionReused(): boolean {
    return own(this).#openSsl?.sessionReused ?? false;
  }

  /** See {@link Ssl.exportKeyingMaterial}: on an I/O thread a promise. */
  exportKeyingMaterial(length: number, label: string, context?: Buffer): Buffer | Promise<Buffer> {
    return own(this).#core.ssl.exportKeyingMaterial(length, label, context);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The transport

  get remoteAddress(): string | undefined {
    return own(this).#remote?.address;
  }

  get remotePort(): number | undefined {
    return own(this).#remote?.port;
  }

  get remoteFamily(): string | undefined {
    return own(this).#remote?.family;
  }

  get localAddress(): string | undefined {
    return own(this).#local?.address;
  }

  get localPort(): number | undefined {
    return own(this).#local?.port;
  }

  get localFamily(): string | undefined {
    return own(this).#local?.family;
  }

  /** The local address, as net.Socket gives it. */
  address(): { address: string; family: string; port: number } | Record<string, never> {
    const local = own(this).#local;
    return local === undefined ? {} : { address: local.address, family: local.family, port: local.port };
  }

  get #remote(): NativeAddress | undefined {
    return internet(this.#core.connection.remoteAddress);
  }

  get #local(): NativeAddress | undefined {
    if (this.#localAddress === undefined) this.#localAddress = this.#openNative?.localAddress();
    return internet(this.#localAddress);
  }

  get #openNative(): NativeConnection | undefined {
    const { closed, native } = this.#core.connection;
    return closed ? undefined : native;
  }

  setNoDelay(noDelay = true): this {
    own(this).#openNative?.setNoDelay(Boolean(noDelay));
    return this;
  }

  /** @param initialDelay - milliseconds, as in net.Socket; TCP counts in seconds */
  setKeepAlive(enable = false, initialDelay = 0): this {
    const seconds = Math.min(Math.floor(Number(initialDelay) / 1000) || 0, maxSeconds);
    own(this).#openNative?.setKeepAlive(Boolean(enable), seconds);
    return this;
  }

  ref(): this {
    own(this).#core.ssl.ref();
    return this;
  }

  unref(): this {
    own(this).#core.ssl.unref();
    return this;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Activity

  /**
   * Emits `'timeout'` when no byte has moved in either direction for so many milliseconds; 0: never. What the transport
   * takes counts, also within one large write or `sendFile()`. The socket lives on.
   */
  setTimeout(milliseconds: number, callback?: () => void): this {
    const core = own(this).#core;
    // Not every number is an integer here, but nothing else is a number.
    const whole = typeof milliseconds === 'number' ? Math.trunc(milliseconds) : milliseconds;
    validateInteger(whole, 'milliseconds', 0, longestTimeout);
    core.idleTimeout = milliseconds;
    if (callback === undefined) return this;
    validateFunction(callback, 'callback');
    if (milliseconds === 0) this.removeListener('timeout', callback);
    else this.once('timeout', callback);
    return this;
  }

  /** Milliseconds as given to {@link setTimeout}. */
  get timeout(): number | undefined {
    return own(this).#core.idleTimeout || undefined;
  }

  /** Clear bytes. */
  get bytesRead(): number {
    return own(this).#core.bytesRead;
  }

  /** Clear bytes, including those that wait in the stream. */
  get bytesWritten(): number {
    const { writer } = own(this).#core;
    return writer.handedOver + bytesOf((this as unknown as { writableBuffer: readonly Piece[] }).writableBuffer);
  }

  /** Bytes that wait: clear ones in the stream, and ciphertext. */
  get bufferSize(): number {
    const native = own(this).#openNative;
    return this.writableLength + (native?.bufferedAmount ?? 0);
  }

  /** As net.Socket's. */
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    const { readable, writable } = own(this);
    if (readable && writable) return 'open';
    if (readable) return 'readOnly';
    return writable ? 'writeOnly' : 'closed';
  }
}
