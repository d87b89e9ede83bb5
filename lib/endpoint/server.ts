import { EventEmitter } from 'node:events';
import type { Status } from '../../types/binding.d.ts';
import { abortError, invalidArgValue, invalidThis, tlsError } from '../base/coded-error.ts';
import { debug, debugging } from '../base/debug.ts';
import {
  optionalBoolean,
  optionalFunction,
  optionalInteger,
  validateObject,
  validateOneOf,
  validateTimeout,
} from '../base/validate.ts';
import type { SslListeners } from '../connection/events.ts';
import { type IoOption, type IoPool, ioPool, nativePool, onPoolClosing } from '../connection/io-pool.ts';
import type { SslOptions } from '../connection/options.ts';
import { checkListeners } from '../connection/settings.ts';
import { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import type { SslContext, SslContextOptions } from '../context/context.ts';
import type { OwnContextOptions } from '../context/options.ts';
import { checkOnRead } from '../stream/receiver.ts';
import { TlsSocket, type TlsSocketOptions } from '../stream/tls-socket.ts';
import type { Arrival } from '../transport/native-connection.ts';
import { Acceptor, type AcceptorEvents } from './acceptor.ts';
import { Connections } from './connections.ts';
import { defaultHandshakeTimeout } from './handshake.ts';
import { type ListenOptions, placeOf } from './listen.ts';
import { ServerContexts } from './server-contexts.ts';

export type { ListenOptions };

/** Options of the context, of the sockets, and of the server itself. */
export interface ServerOptions extends SslContextOptions, TlsSocketOptions {
  /** A ready context, instead of the options that would make one. */
  readonly secureContext?: SslContext | undefined;
  /** Milliseconds for a client to finish its handshake (`ERR_TLS_HANDSHAKE_TIMEOUT`); default 120000. */
  readonly handshakeTimeout?: number | undefined;
  /** TCP_NODELAY; default true: records are put together before they are sent. */
  readonly noDelay?: boolean | undefined;
  /** SO_KEEPALIVE; default false. */
  readonly keepAlive?: boolean | undefined;
  /** Milliseconds. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** Connections at a time, in their handshake or after it; those over it are closed at once. Default: no limit. */
  readonly maxConnections?: number | undefined;
  /** Connections live on the threads of this pool (true: of {@link IoPool.shared}), balanced; default: on the loop. The server ends with it. */
  readonly io?: IoOption;
  /**
   * Where a connection lives after its handshake, with {@link ServerOptions.io} alone: `'threads'` (default), or `'loop'`,
   * which answers small messages sooner and leaves the cost of handshakes to the threads.
   */
  readonly data?: 'threads' | 'loop' | undefined;
  /** See {@link SslOptions.ktls}. */
  readonly ktls?: SslOptions['ktls'];
  /** See {@link SslOptions.dynamicRecordSizing}. */
  readonly dynamicRecordSizing?: SslOptions['dynamicRecordSizing'];
  /** Listeners that every connection gets before its handshake. */
  readonly on?: SslListeners | undefined;
}

/** Events of a {@link Server}. */
export interface ServerEvents {
  listening: [];
  /** After the handshake. */
  secureConnection: [socket: TlsSocket];
  /** A handshake failed; the socket is closed afterwards. Never `'error'`: any client can cause it. */
  tlsClientError: [error: Error, socket: TlsSocket];
  /** A connection was closed because of maxConnections. */
  drop: [];
  /**
   * Accepting failed for a reason of our own, such as too many open files, which is told once until a connection was
   * accepted again; or the option `io` was closed, and the server with it (`ERR_TLS_CLOSED`). Without a listener it is a
   * warning.
   */
  error: [error: Error];
  /** It no longer listens, and its last connection has ended. */
  close: [];
}

/** What `address()` tells of a server on TCP. */
export interface AddressInfo {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** Settings of each connection. */
interface Settings {
  readonly socket: TlsSocketOptions;
  readonly handshakeTimeout: number | undefined;
  readonly arrival: Arrival;
  readonly io: IoPool | undefined;
  readonly dataOnLoop: boolean;
  readonly ktls: boolean;
  readonly dynamicRecordSizing: boolean;
  readonly on: SslListeners | undefined;
}

function checkData(data: unknown, io: IoPool | undefined): void {
  if (data === undefined || data === null) return;
  validateOneOf(data, 'options.data', ['threads', 'loop']);
  if (io !== undefined) return;
  const why = 'has no meaning without "options.io": connections are on the loop from the start then';
  throw invalidArgValue('options.data', why, data);
}

/** Seconds; -1: off. */
function keepAliveOf({ keepAlive, keepAliveInitialDelay }: ServerOptions): number {
  const delay = optionalInteger(keepAliveInitialDelay, 'options.keepAliveInitialDelay', 0, 2 ** 31 - 1) ?? 0;
  return optionalBoolean(keepAlive, 'options.keepAlive', false) ? Math.floor(delay / 1000) : -1;
}

function socketOptions(options: ServerOptions): Required<TlsSocketOptions> {
  const { onread } = options;
  checkOnRead(onread);
  return {
    allowHalfOpen: optionalBoolean(options.allowHalfOpen, 'options.allowHalfOpen', false),
    onread,
    pauseOnConnect: optionalBoolean(options.pauseOnConnect, 'options.pauseOnConnect', false),
    strictEnd: optionalBoolean(options.strictEnd, 'options.strictEnd', true),
  };
}

/**
 * A socket reads from its first moment on, unless it is told not to. Its thread does so without being asked again; on the
 * loop there is nobody to wait for.
 */
function arrivalOf(
  options: ServerOptions,
  { onread, pauseOnConnect, strictEnd }: TlsSocketOptions,
  io: IoPool | undefined,
): Arrival {
  return {
    noDelay: optionalBoolean(options.noDelay, 'options.noDelay', true),
    keepAlive: keepAliveOf(options),
    reads: io !== undefined && !pauseOnConnect && (onread ?? null) === null && options.data !== 'loop',
    strictEnd: strictEnd !== false,
  };
}

function settingsOf(options: ServerOptions): Settings {
  const { on } = options;
  const socket = socketOptions(options);
  checkListeners(on);
  const io = ioPool(options.io, 'options.io');
  checkData(options.data, io);
  return {
    socket,
    handshakeTimeout: validateTimeout(options.handshakeTimeout ?? defaultHandshakeTimeout, 'options.handshakeTimeout'),
    arrival: arrivalOf(options, socket, io),
    io,
    dataOnLoop: options.data === 'loop',
    ktls: optionalBoolean(options.ktls, 'options.ktls', false),
    dynamicRecordSizing: optionalBoolean(options.dynamicRecordSizing, 'options.dynamicRecordSizing', false),
    on,
  };
}

let own: (server: unknown) => Server;

/** Accepts TLS connections. Made by {@link createServer}. */
export class Server extends EventEmitter<ServerEvents> {
  /** As the option; may be changed at any time. */
  maxConnections: number | undefined;
  readonly #settings: Settings;
  readonly #connections: Connections;
  readonly #contexts: ServerContexts;
  #acceptor: Acceptor | null = null;
  #referenced = true;
  #detach: (() => void) | undefined;

  /** @internal */
  constructor(options: ServerOptions, onConnection?: (socket: TlsSocket) => void) {
    super();
    validateObject(options, 'options');
    this.#settings = settingsOf(options);
    this.#connections = new Connections(
      {
        established: ssl => this.#handOut(ssl),
        failed: (ssl, error) => this.#handshakeFailed(ssl, error),
        drained: done => {
          done();
          process.nextTick(() => this.emit('close'));
        },
      },
      this.#settings,
    );
    this.maxConnections = optionalInteger(options.maxConnections, 'options.maxConnections', 0, 2 ** 31 - 1);
    const { io, ktls, dynamicRecordSizing, on } = this.#settings;
    this.#contexts = new ServerContexts(options, { io, ktls, dynamicRecordSizing, on });
    if (optionalFunction(onConnection, 'onConnection') !== undefined)
      this.on('secureConnection', onConnection as () => void);
  }

  /**
   * Starts to listen.
   *
   * @throws Error with the code of the system call: `EADDRINUSE`, `EACCES`; `ERR_TLS_SERVER_LISTENING` if it listens,
   * `ERR_TLS_SERVER_CLOSING` while close() waits for connections, `ERR_TLS_CLOSED` if the option `io` was closed
   */
  async listen(options: ListenOptions = {}): Promise<this> {
    const server = own(this);
    if (server.#acceptor !== null) throw tlsError('ERR_TLS_SERVER_LISTENING', 'the server is already listening');
    server.#connections.reopen();
    const events: AcceptorEvents = {
      accepted: fd => server.#accepted(fd),
      failed: error => server.#acceptFailed(error),
    };
    const acceptor = new Acceptor(events, nativePool(server.#settings.io, 'options.io'));
    server.#acceptor = acceptor;
    try {
      const place = await placeOf(options);
      if (place.signal?.aborted) throw abortError(place.signal);
      if (server.#acceptor !== acceptor) throw tlsError('ERR_TLS_CLOSED', 'the server was closed before it listened');
      nativePool(server.#settings.io, 'options.io');
      acceptor.listen(place);
      if (!server.#referenced) acceptor.unref();
      server.#closeOn(place.signal);
    } catch (error) {
      acceptor.close();
      if (server.#acceptor === acceptor) server.#acceptor = null;
      throw error;
    }
    if (debugging) debug('server: listens on %o', server.address());
    server.emit('listening');
    return this;
  }

  #closeOn(signal: AbortSignal | undefined): void {
    const onAbort = (): void => void this.close();
    signal?.addEventListener('abort', onAbort, { once: true });
    const { io } = this.#settings;
    const forget = io && onPoolClosing(io, () => this.#closeWithPool());
    this.#detach = () => {
      signal?.removeEventListener('abort', onAbort);
      forget?.();
    };
  }

  /** Whoever came now could only be turned away. */
  #closeWithPool(): void {
    const message = 'The server no longer listens, because its IoPool was closed: close the server first';
    process.nextTick(() => this.#acceptFailed(tlsError('ERR_TLS_CLOSED', message)));
    void this.close();
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return own(this).#acceptor?.address() != null;
  }

  /** Where it listens: address and port, or the path; null if it does not. */
  address(): AddressInfo | string | null {
    return own(this).#acceptor?.address() ?? null;
  }

  /** Connections that are open, in their handshake or after it. */
  get connections(): number {
    return own(this).#connections.size;
  }

  /** As net.Server's. */
  getConnections(callback: (error: Error | null, count: number) => void): this {
    const { size } = own(this).#connections;
    process.nextTick(callback, null, size);
    return this;
  }

  /**
   * Certificates and policy for connections to come: those that there are keep theirs. What createServer() was told of
   * `requestCert`, `rejectUnauthorized` and `verifyMode` holds on, unless the new options have their own; a ready context
   * has none. Names stay, and are added to by those of the new options. Ticket keys stay too, unless the new options have
   * some; a ready context has its own.
   */
  setSecureContext(options: SslContextOptions | SslContext): void {
    own(this).#contexts.replace(options);
  }

  /**
   * A context for a name, as in {@link SslContextOptions.serverNames}, for connections to come; takes the place of one that is
   * there. Connections that there are keep theirs.
   *
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for what is no name, or for a context that cannot take the place of the
   * first one; what is wrong with the options, as the constructor of {@link SslContext}
   */
  addServerName(name: string, context: SslContext | OwnContextOptions): void {
    own(this).#contexts.addName(name, context);
  }

  /** Whether there was such a name: it is for connections to come what any other name is. */
  removeServerName(name: string): boolean {
    return own(this).#contexts.removeName(name);
  }

  /** Stops listening at once; resolves when the last connection has ended. Idempotent. */
  async close(): Promise<void> {
    const server = own(this);
    server.#acceptor?.close();
    server.#acceptor = null;
    server.#detach?.();
    return server.#connections.close();
  }

  /** Destroys all connections, also those in their handshake. */
  closeAllConnections(): void {
    own(this).#connections.destroyAll();
  }

  /** Closes the server and all its connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    const server = own(this);
    const closed = server.close();
    server.closeAllConnections();
    await closed;
  }

  /** Listening keeps the process running again. */
  ref(): this {
    const server = own(this);
    server.#referenced = true;
    server.#acceptor?.ref();
    return this;
  }

  /** Listening no longer keeps the process running. */
  unref(): this {
    const server = own(this);
    server.#referenced = false;
    server.#acceptor?.unref();
    return this;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // A connection's way

  #accepted(fd: number): void {
    if (this.maxConnections !== undefined && this.#connections.size >= this.maxConnections) {
      this.#acceptor?.refuse(fd);
      this.emit('drop');
      return;
    }
    const ssl = this.#makeSsl(fd);
    if (ssl !== undefined) this.#begin(ssl, fd);
  }

  /** Whatever fails, the descriptor is closed, and no client's arrival is an uncaught exception. */
  #makeSsl(fd: number): Ssl | undefined {
    try {
      const { context, options, shared, names } = this.#contexts.template;
      return new Ssl(context, options, shared, names);
    } catch (error) {
      this.#acceptor?.refuse(fd);
      this.#acceptFailed(error);
      return undefined;
    }
  }

  /** The client may be gone already: then there is nobody to tell, and nothing to keep. */
  #begin(ssl: Ssl, fd: number): void {
    const connection = connectionOf(ssl);
    const op = connection.nextOp();
    let status: Status;
    try {
      status = connection.accept(op, fd, this.#settings.arrival);
    } catch {
      ssl.close();
      this.#acceptor?.refuse(fd);
      return;
    }
    this.#connections.begun(ssl, op, status);
  }

  #handshakeFailed(ssl: Ssl, error: Error): void {
    const socket = new TlsSocket(ssl, { pauseOnConnect: true });
    // The error is told once, below.
    socket.on('error', () => undefined);
    this.emit('tlsClientError', error, socket);
    socket.destroy();
  }

  #handOut(ssl: Ssl): void {
    let socket: TlsSocket;
    try {
      socket = new TlsSocket(ssl, this.#settings.socket);
    } catch (error) {
      // Such as from the function onread.buffer: the server's fault, not the client's.
      ssl.close();
      this.#acceptFailed(error);
      return;
    }
    this.emit('secureConnection', socket);
  }

  /** @param thrown - anything, where users' code throws it */
  #acceptFailed(thrown: unknown): void {
    const error = thrown instanceof Error ? thrown : new Error(`A connection was not accepted: ${String(thrown)}`);
    if (this.listenerCount('error') > 0) this.emit('error', error);
    else process.emitWarning(error);
  }

  static {
    own = server => {
      if (typeof server !== 'object' || server === null || !(#settings in server)) throw invalidThis('Server');
      return server;
    };
  }
}

/**
 * Makes a TLS server; `await server.listen({ port })` starts it.
 *
 * @param onConnection - called with each connection after its handshake (event `'secureConnection'`)
 */
export function createServer(options: ServerOptions, onConnection?: (socket: TlsSocket) => void): Server {
  return new Server(options, onConnection);
}
