import type { X509Certificate } from 'node:crypto';
import { Duplex, type Readable } from 'node:stream';
import type { NativeAddress } from '../../types/binding.d.ts';
import { invalidThis } from '../base/coded-error.ts';
import { longestTimeout, validateFunction, validateInteger } from '../base/validate.ts';
import type { SslEvents } from '../connection/events.ts';
import { observeMask } from '../connection/inform.ts';
import type {
  KeyUpdateOptions,
  KeyUpdateResult,
  RenegotiateOptions,
  RequestClientCertificateOptions,
} from '../connection/options.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { codeOfVerifyResult } from '../errors/errors.ts';
import { type Connection, type Forwarder, onForward } from '../transport/native-connection.ts';
import { IdleTimer } from './idle-timer.ts';

interface Verified {
  readonly authorized: boolean;
  readonly error: string | null;
}

/** Events of a TlsSocket: those of a stream, and some of its connection. */
export interface TlsSocketEvents extends Pick<SslEvents, 'keyUpdate' | 'renegotiate' | 'session' | 'keylog'> {
  // biome-ignore lint/suspicious/noExplicitAny: a Buffer, but for setEncoding(), as in node's own types
  data: [chunk: any];
  error: [error: Error];
  end: [];
  finish: [];
  close: [];
  drain: [];
  pause: [];
  readable: [];
  resume: [];
  pipe: [source: Readable];
  unpipe: [source: Readable];
  /** No byte moved for the time given to {@link TlsSocketState.setTimeout}. */
  timeout: [];
}

interface AddListener<Self> {
  <K extends keyof TlsSocketEvents>(name: K, listener: (...args: TlsSocketEvents[K]) => void): Self;
  // biome-ignore lint/suspicious/noExplicitAny: events of the user's own, as in node's types
  (name: string | symbol, listener: (...args: any[]) => void): Self;
}

/** Events of the Ssl that a socket passes on. */
const forwarded: ReadonlySet<unknown> = new Set(['keyUpdate', 'renegotiate', 'session', 'keylog']);

const maxSeconds = 32767;

const unverified: Verified = { authorized: false, error: null };

let own: (socket: unknown) => TlsSocketState;
let observe: (socket: TlsSocketState, name: string | symbol) => void;

/** From the first listener on, a socket's events are recorded: they are few. */
function observeAdded(this: TlsSocketState, name: string | symbol): void {
  if (forwarded.has(name)) observe(this, name);
}

/** What users of net.Socket and tls.TLSSocket expect of a socket beside its bytes. */
export abstract class TlsSocketState extends Duplex implements Forwarder {
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
  readonly #ssl: Ssl;
  readonly #state: Connection;
  /** Made for those who ask for it. */
  #idle: IdleTimer | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;
  #localAddress: NativeAddress | null | undefined;
  #verified: Verified = unverified;

  /** @internal */
  constructor(ssl: Ssl, allowHalfOpen: boolean) {
    super({ allowHalfOpen, autoDestroy: true, emitClose: true });
    this.#ssl = ssl;
    this.#state = connectionOf(ssl);
    this.#state.forwarder = this;
    super.on('newListener', observeAdded);
  }

  /** @internal */
  [onForward](name: string, args: readonly unknown[]): void {
    if (forwarded.has(name)) this.emit(name, ...args);
  }

  /** The connection under the stream. */
  get ssl(): Ssl {
    return own(this).#ssl;
  }

  /** The hook of this class stays: it is no listener of the user's. */
  override removeAllListeners(name?: string | symbol): this {
    own(this);
    // node tells no name from an undefined one by the number of arguments.
    if (name === undefined) super.removeAllListeners();
    else super.removeAllListeners(name);
    if (!this.listeners('newListener').includes(observeAdded)) super.on('newListener', observeAdded);
    return this;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // New keys

  /** See {@link Ssl.keyUpdate}. */
  async keyUpdate(options?: KeyUpdateOptions): Promise<KeyUpdateResult> {
    return own(this).#ssl.keyUpdate(options);
  }

  /** See {@link Ssl.renegotiate}. */
  async renegotiate(options?: RenegotiateOptions): Promise<void> {
    return own(this).#ssl.renegotiate(options);
  }

  /** See {@link Ssl.requestClientCertificate}. */
  async requestClientCertificate(options?: RequestClientCertificateOptions): Promise<void> {
    return own(this).#ssl.requestClientCertificate(options);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The peer

  /** Whether the peer showed a certificate and it was verified. */
  get authorized(): boolean {
    return own(this).#verify().authorized;
  }

  /** Why not, with the name that node:tls gives it (`'DEPTH_ZERO_SELF_SIGNED_CERT'`); null if nothing was wrong. */
  get authorizationError(): string | null {
    return own(this).#verify().error;
  }

  #verify(): Verified {
    const state = this.#state;
    if (state.closed) return this.#verified;
    // Who asked once may ask again when it is closed, and gets what was true last.
    state.beforeClose = () => {
      this.#verified = verifiedBy(state);
    };
    return verifiedBy(state);
  }

  /** As tls.TLSSocket's: a plain object, empty if the peer sent none; null when closed. */
  getPeerCertificate(): ReturnType<X509Certificate['toLegacyObject']> | Record<string, never> | null {
    if (own(this).#state.closed) return null;
    return this.#ssl.peerCertificate?.toLegacyObject() ?? {};
  }

  /** As tls.TLSSocket's. */
  getPeerX509Certificate(): X509Certificate | undefined {
    return own(this).#state.closed ? undefined : (this.#ssl.peerCertificate ?? undefined);
  }

  /** The own certificate. */
  getX509Certificate(): X509Certificate | undefined {
    return own(this).#state.closed ? undefined : (this.#ssl.certificate ?? undefined);
  }

  /** As tls.TLSSocket's: the name, or false if no protocol was agreed on. */
  get alpnProtocol(): string | false {
    return own(this).#state.closed ? false : (this.#ssl.alpnProtocol ?? false);
  }

  /** As tls.TLSSocket's: the name that the client sent, or false. */
  get servername(): string | false {
    return own(this).#state.closed ? false : (this.#ssl.servername ?? false);
  }

  getProtocol(): string | null {
    return own(this).#state.closed ? null : this.#ssl.version;
  }

  getCipher(): { name: string; standardName: string; version: string } | undefined {
    const cipher = own(this).#state.closed ? null : this.#ssl.cipher;
    return cipher === null
      ? undefined
      : { name: cipher.name, standardName: cipher.standardName, version: cipher.version };
  }

  /** What {@link SslSession.serialize} gives; the option `session` takes it. */
  getSession(): Buffer | undefined {
    return own(this).#state.closed ? undefined : this.#ssl.session?.serialize();
  }

  isSessionReused(): boolean {
    return !own(this).#state.closed && this.#ssl.sessionReused;
  }

  /** See {@link Ssl.exportKeyingMaterial}: on an I/O thread a promise. */
  exportKeyingMaterial(length: number, label: string, context?: Buffer): Buffer | Promise<Buffer> {
    return own(this).#ssl.exportKeyingMaterial(length, label, context);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The transport

  get remoteAddress(): string | undefined {
    return own(this).#remote()?.address;
  }

  get remotePort(): number | undefined {
    return own(this).#remote()?.port;
  }

  get remoteFamily(): string | undefined {
    return own(this).#remote()?.family;
  }

  get localAddress(): string | undefined {
    return own(this).#local()?.address;
  }

  get localPort(): number | undefined {
    return own(this).#local()?.port;
  }

  get localFamily(): string | undefined {
    return own(this).#local()?.family;
  }

  /** The local address, as net.Socket gives it. */
  address(): { address: string; family: string; port: number } | Record<string, never> {
    const local = own(this).#local();
    return local === undefined ? {} : { address: local.address, family: local.family, port: local.port };
  }

  #remote(): NativeAddress | undefined {
    return internet(this.#state.remoteAddress);
  }

  #local(): NativeAddress | undefined {
    if (this.#localAddress === undefined && !this.#state.closed) this.#localAddress = this.#state.native.localAddress();
    return internet(this.#localAddress);
  }

  setNoDelay(noDelay = true): this {
    if (!own(this).#state.closed) this.#state.native.setNoDelay(Boolean(noDelay));
    return this;
  }

  /** @param initialDelay - milliseconds, as in net.Socket; TCP counts in seconds */
  setKeepAlive(enable = false, initialDelay = 0): this {
    const seconds = Math.min(Math.floor(Number(initialDelay) / 1000) || 0, maxSeconds);
    if (!own(this).#state.closed) this.#state.native.setKeepAlive(Boolean(enable), seconds);
    return this;
  }

  ref(): this {
    own(this).#ssl.ref();
    return this;
  }

  unref(): this {
    own(this).#ssl.unref();
    return this;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Activity

  /**
   * Emits `'timeout'` when no byte has moved in either direction for so many milliseconds; 0: never. What the transport
   * takes counts, also within one large write or `sendFile()`. The socket lives on.
   */
  setTimeout(milliseconds: number, callback?: () => void): this {
    const socket = own(this);
    // Not every number is an integer here, but nothing else is a number.
    const whole = typeof milliseconds === 'number' ? Math.trunc(milliseconds) : milliseconds;
    validateInteger(whole, 'milliseconds', 0, longestTimeout);
    socket.#idle ??= new IdleTimer(
      () => socket.#state.inScope(() => void socket.emit('timeout'), undefined),
      () => socket.#state.native.idleTime,
    );
    socket.#idle.set(socket.destroyed ? 0 : milliseconds);
    if (callback === undefined) return this;
    validateFunction(callback, 'callback');
    if (milliseconds === 0) this.removeListener('timeout', callback);
    else this.once('timeout', callback);
    return this;
  }

  /** Milliseconds as given to {@link setTimeout}. */
  get timeout(): number | undefined {
    return own(this).#idle?.milliseconds || undefined;
  }

  /** Clear bytes. */
  get bytesRead(): number {
    return own(this).#bytesRead;
  }

  /** Clear bytes, including those that wait in the stream. */
  get bytesWritten(): number {
    return own(this).#bytesWritten + this.writableLength;
  }

  /** Bytes that wait: clear ones in the stream, and ciphertext. */
  get bufferSize(): number {
    const { closed, native } = own(this).#state;
    return this.writableLength + (closed ? 0 : native.bufferedAmount);
  }

  /** As net.Socket's. */
  get readyState(): 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    const { readable, writable } = own(this);
    if (readable && writable) return 'open';
    if (readable) return 'readOnly';
    return writable ? 'writeOnly' : 'closed';
  }

  /** @internal */
  protected noteRead(bytes: number): void {
    const socket = own(this);
    socket.#bytesRead += bytes;
    socket.#idle?.touch();
  }

  /** @internal */
  protected noteWritten(bytes: number): void {
    const socket = own(this);
    socket.#bytesWritten += bytes;
    socket.#idle?.touch();
  }

  /** @internal */
  protected touch(): void {
    own(this).#idle?.touch();
  }

  /** @internal */
  protected stopTimer(): void {
    own(this).#idle?.stop();
  }

  static {
    observe = (socket, name) => socket.#state.observe('socket', observeMask(name), true);
    own = socket => {
      if (typeof socket !== 'object' || socket === null || !(#ssl in socket)) throw invalidThis('TlsSocket');
      return socket;
    };
  }
}

/** Asked anew each time: a later handshake, by whomever it was begun, may change it. */
function verifiedBy({ native }: Connection): Verified {
  const { verifyResult } = native;
  const error = verifyResult === 0 ? null : codeOfVerifyResult(verifyResult);
  return { authorized: error === null && native.peerCertificate() !== null, error };
}

/** Unix sockets have no address to tell, as in net.Socket. */
function internet(address: NativeAddress | null | undefined): NativeAddress | undefined {
  return address === null || address === undefined || address.family === 'unix' ? undefined : address;
}

/** @internal Throws for what is no socket. */
export { own as socketOf };
