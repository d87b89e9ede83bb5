// Connections of a server of node's class: native code accepts them and shakes hands, and node's socket is made when that is
// over. Node's own way makes a net.Socket and a TLSSocket first, and its JavaScript runs between the steps of a handshake; see
// docs/decisions/031.
//
// A connection that somebody observes before its handshake, or is asked about in it, goes node's own way.
import { closeSync } from 'node:fs';
import type { Status } from '../../types/binding.d.ts';
import { type IoPool, nativePool, onPoolClosing } from '../connection/io-pool.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { Acceptor, type AcceptorEvents } from '../endpoint/acceptor.ts';
import { ServerHandshakes } from '../endpoint/server-handshakes.ts';
import { type Arrival, onFailed } from '../transport/native-connection.ts';
import { socketOver } from './accepted-handle.ts';
import { AcceptedSocket } from './accepted-socket.ts';
import { currentTerms, makeSsl, type Terms } from './connection-terms.ts';
import { Handle, type ParentHandle } from './handle.ts';
import { poolOfServer } from './io.ts';
import { errnoOf } from './node-errors.ts';
import { nodeHandles, socketType } from './node-handles.ts';
import type { AnyServer } from './node-tls.ts';
import { makeNodesSocket, Observers } from './observers.ts';

/** node's own of a server on TCP. */
export interface ListeningHandle extends ParentHandle {
  readonly fd: number;
  listen(backlog: number): number;
  getsockname(place: object): number;
  /** @param error - 0, or libuv's number of one */
  onconnection(error: number, socket?: ParentHandle): void;
}

/** UV_UNKNOWN. */
const unknownError = -4094;

/** What node keeps of the options of a server. */
interface NetServer {
  readonly allowHalfOpen: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  /** Seconds. */
  readonly keepAliveInitialDelay: number;
}

/** Those that node counts, for getConnections() and the server's 'close'. */
function count(server: AnyServer, change: 1 | -1): void {
  const counted = server as unknown as { _connections: number; _emitCloseIfDrained(): void };
  counted._connections += change;
  if (change < 0) counted._emitCloseIfDrained();
}

/** The handle of a connection for which node has made a socket. */
function handed(ssl: Ssl): Handle | undefined {
  const { flow } = connectionOf(ssl);
  return flow instanceof Handle ? flow : undefined;
}

export class AcceptedConnections {
  readonly #server: AnyServer;
  readonly #listening: ListeningHandle;
  readonly #handshakes: ServerHandshakes;
  readonly #observers: Observers;
  #acceptor: Acceptor | undefined;
  #terms: Terms | undefined;
  /** At which each was accepted: the server may have others when its handshake is over. */
  readonly #termsOf = new WeakMap<Ssl, Terms>();
  #backlog = 0;
  #referenced = true;
  #forgetPool: (() => void) | undefined;

  constructor(server: AnyServer, listening: ListeningHandle) {
    this.#server = server;
    this.#listening = listening;
    this.#observers = new Observers(server);
    const owner = {
      succeeded: (ssl: Ssl) => this.#succeeded(ssl),
      failed: (ssl: Ssl, error: Error) => this.#failed(ssl, error),
      expired: (ssl: Ssl) => this.#expired(ssl),
    };
    this.#handshakes = new ServerHandshakes(owner, this.#observers.handshakeTimeout);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Listening

  /** listen(2), on the thread of a pool if there is one. Throws. */
  listen(backlog: number): void {
    this.#backlog = backlog;
    const pool = poolOfServer(this.#server);
    this.#accept(pool);
    // Connections that come then fail, each by itself.
    this.#forgetPool = pool && onPoolClosing(pool, () => this.#accept(undefined));
  }

  #accept(pool: IoPool | undefined): void {
    const events: AcceptorEvents = {
      accepted: fd => this.#accepted(fd),
      failed: error => this.#acceptFailed(error),
    };
    const acceptor = new Acceptor(events, nativePool(pool, 'options.io'));
    this.#acceptor?.close();
    this.#acceptor = acceptor;
    const native = { fd: this.#listening.fd, backlog: this.#backlog, ipv6Only: false, reusePort: false };
    acceptor.listen({ native, fallback: undefined, label: `descriptor ${native.fd}`, signal: undefined });
    if (!this.#referenced) acceptor.unref();
  }

  close(): void {
    this.#forgetPool?.();
    this.#acceptor?.close();
    this.#acceptor = undefined;
  }

  ref(): void {
    this.#referenced = true;
    this.#acceptor?.ref();
  }

  unref(): void {
    this.#referenced = false;
    this.#acceptor?.unref();
  }

  /** With too many open files whoever waits to be accepted waits on. */
  #acceptFailed(error: Error): void {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EMFILE' && code !== 'ENFILE') this.#listening.onconnection(errnoOf(error) ?? unknownError);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // A connection's way

  #accepted(fd: number): void {
    const terms = this.#observers.none() ? this.#termsNow() : undefined;
    const ssl = terms && makeSsl(terms);
    if (terms === undefined || ssl === undefined) this.#leaveToNode(fd);
    else this.#begin(ssl, fd, terms);
  }

  #termsNow(): Terms | undefined {
    this.#terms = currentTerms(this.#server, this.#terms);
    return this.#terms;
  }

  #arrival({ reads }: Terms): Arrival {
    const { noDelay, keepAlive, keepAliveInitialDelay } = this.#server as unknown as NetServer;
    return {
      noDelay: Boolean(noDelay),
      keepAlive: keepAlive ? keepAliveInitialDelay : -1,
      reads,
      strictEnd: false,
    };
  }

  /** The client may be gone already: then there is nobody to tell. */
  #begin(ssl: Ssl, fd: number, terms: Terms): void {
    const connection = connectionOf(ssl);
    const op = connection.nextOp();
    let status: Status;
    try {
      status = connection.accept(op, fd, this.#arrival(terms));
    } catch {
      ssl.close();
      this.#acceptor?.refuse(fd);
      return;
    }
    count(this.#server, 1);
    this.#termsOf.set(ssl, terms);
    this.#handshakes.begun(ssl, op, status);
  }

  #leaveToNode(fd: number): void {
    if (this.#acceptor?.giveUp(fd) !== true) return;
    const { TCP } = nodeHandles();
    const socket = new TCP(socketType) as ParentHandle & { open(fd: number): number };
    const error = socket.open(fd);
    if (error !== 0) closeSync(fd);
    this.#listening.onconnection(error, socket);
  }

  #succeeded(ssl: Ssl): void {
    const handle = handed(ssl) ?? this.#handOver(ssl);
    handle.secured();
  }

  /** Whoever has a socket by now has heard. */
  #failed(ssl: Ssl, error: Error): void {
    if (handed(ssl) === undefined) this.#handOver(ssl)[onFailed](error);
  }

  /** As node: the server is told, and whoever hears of it ends the connection, or waits on. */
  #expired(ssl: Ssl): void {
    const { socket } = this.#handOver(ssl);
    const expire = socket['_handleTimeout'] as () => void;
    // The timer of node's socket, which has just begun, is not to tell again.
    socket.off('timeout', expire);
    expire.call(socket);
  }

  /** Node's own listener makes the socket, as for one that has yet to connect. */
  #handOver(ssl: Ssl): Handle {
    const server = this.#server;
    try {
      const { secureContext, requestCert, rejectUnauthorized } = this.#termsOf.get(ssl) as Terms;
      const from = { parent: new AcceptedSocket(connectionOf(ssl)), secureContext };
      const handle = socketOver(from, () => makeNodesSocket(server));
      const { allowHalfOpen } = server as unknown as NetServer;
      const asAccepted = { _requestCert: requestCert, _rejectUnauthorized: rejectUnauthorized };
      Object.assign(handle.socket, { connecting: false, allowHalfOpen, _server: server, ...asAccepted });
      handle.adopt(ssl);
      return handle;
    } catch (error) {
      ssl.close();
      count(server, -1);
      throw error;
    }
  }
}
