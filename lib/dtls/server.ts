import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { hostAndPort, numericAddress } from '../base/address.ts';
import { invalidThis, tlsError } from '../base/coded-error.ts';
import {
  optionalBoolean,
  optionalFunction,
  optionalInteger,
  optionalString,
  validateObject,
  validateTimeout,
} from '../base/validate.ts';
import { givenCallbacks } from '../callbacks/options.ts';
import { givenPolicy } from '../callbacks/verify-mode.ts';
import type { SslListeners } from '../connection/events.ts';
import { ConnectionSettings } from '../connection/settings.ts';
import { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import type { SslContextOptions } from '../context/context.ts';
import { contextArgument, readyContext, SslContext } from '../context/context.ts';
import { assertMethodCarries, assertMethodSide } from '../context/methods.ts';
import { refuseNames } from '../context/server-names.ts';
import { Connections } from '../endpoint/connections.ts';
import { defaultHandshakeTimeout } from '../endpoint/handshake.ts';
import { type DatagramPeer, send } from '../transport/datagram-socket.ts';
import { DatagramTransport } from '../transport/datagram-transport.ts';
import { type ClientHello, Cookies, makeHelloVerifyRequest, parseClientHello } from './hello-verify.ts';

export interface DtlsServerOptions extends SslContextOptions {
  /** A ready context, of a method of DTLS, instead of the options that would make one. */
  readonly secureContext?: SslContext | undefined;
  /** Milliseconds for a handshake; default 120000, Infinity for no limit. `'tlsClientError'` tells of it. */
  readonly handshakeTimeout?: number | undefined;
  /** More are not accepted, in their handshake or after it; default 10000. */
  readonly maxConnections?: number | undefined;
  /** See {@link SslOptions.mtu}. */
  readonly mtu?: number | undefined;
  /** See {@link SslOptions.readAhead}: clear bytes kept for each connection that nobody reads from. */
  readonly readAhead?: number | undefined;
  /** Listeners that hear the handshakes of all connections too. */
  readonly on?: SslListeners | undefined;
}

export interface DtlsListenOptions {
  /** Default 0: any that is free; see `address()`. */
  readonly port?: number | undefined;
  /** Name or address; default: all addresses, IPv6 and IPv4. */
  readonly host?: string | undefined;
  /** Only IPv6 on `'::'`; default false. */
  readonly ipv6Only?: boolean | undefined;
}

/** `secureConnection`: after its handshake. `tlsClientError`: a handshake failed. `error`: the socket did. */
export interface DtlsServerEvents {
  listening: [];
  secureConnection: [ssl: Ssl, peer: DatagramPeer];
  tlsClientError: [error: Error, peer: DatagramPeer];
  error: [error: Error];
  close: [];
}

const defaultMaxConnections = 10_000;

/** A client that has shown that it is where it says. */
interface Peer {
  readonly ssl: Ssl;
  readonly transport: DatagramTransport;
  readonly address: DatagramPeer;
  /** Of its ClientHello: another one begins another connection. */
  readonly random: Buffer;
  established: boolean;
  /** The handshake of a client that begins anew, or of one that pretends to: only when it is complete, it takes over. */
  successor: Peer | undefined;
}

function contextOf(options: DtlsServerOptions): SslContext {
  const context = readyContext(options) ?? new SslContext({ ...options, method: options.method ?? 'DTLS_server' });
  const { method } = contextArgument(context, 'options.secureContext').policy;
  assertMethodCarries(method, 'messages', 'createDtlsServer()');
  refuseNames(options, what => assertMethodCarries(method, 'stream', what));
  assertMethodSide(method, 'server');
  return context;
}

/** Of its first record: RFC 6347 section 4.1. */
const epochOf = (datagram: Buffer): number => (datagram.length < 5 ? 0 : datagram.readUInt16BE(3));

const keyOf = ({ address, port }: DatagramPeer): string => `${address} ${port}`;

/**
 * Which of the connections with one address a datagram may be for; none: it is a ClientHello that begins another one
 * (RFC 6347 section 4.2.8). While there are two, which of them has the keys of an epoch is found by trying.
 */
function receiversOf(peer: Peer, datagram: Buffer, hello: ClientHello | undefined): readonly Peer[] {
  const { successor } = peer;
  const both = successor === undefined ? [peer] : [peer, successor];
  if (hello !== undefined) return both.filter(({ random }) => random.equals(hello.random));
  return successor === undefined || epochOf(datagram) !== 0 ? both : [successor];
}

let own: (server: unknown) => DtlsServer;

/**
 * Accepts connections of DTLS, many on one socket of UDP. Made by {@link createDtlsServer}.
 *
 * Nothing is kept about a client that has not returned a cookie, which is sent to the address that it claims to have:
 * RFC 6347 section 4.2.1.
 */
export class DtlsServer extends EventEmitter<DtlsServerEvents> {
  /** As the option; may be changed at any time. */
  maxConnections: number;
  readonly #context: SslContext;
  readonly #settings: ConnectionSettings;
  readonly #connections: Connections;
  readonly #cookies = new Cookies();
  readonly #peers = new Map<string, Peer>();
  /** Also of connections that have ended: how, is told afterwards. */
  readonly #bySsl = new WeakMap<object, Peer>();
  #socket: Socket | null = null;
  #accepting = false;
  #dropped = 0;

  /** @internal */
  constructor(options: DtlsServerOptions, onConnection?: (ssl: Ssl, peer: DatagramPeer) => void) {
    super();
    validateObject(options, 'options');
    this.maxConnections =
      optionalInteger(options.maxConnections, 'options.maxConnections', 0, 2 ** 31 - 1) ?? defaultMaxConnections;
    this.#context = contextOf(options);
    const { mtu, readAhead, on } = options;
    this.#settings = new ConnectionSettings(
      contextArgument(this.#context, 'context'),
      {
        ...{ side: 'server', mtu, readAhead, on, ...givenPolicy(options) },
        // A ready context has not seen these options.
        ...(options.secureContext && { ALPNProtocols: options.ALPNProtocols, ...givenCallbacks(options) }),
      },
      { cookieVerified: true },
      true,
    );
    this.#connections = new Connections(
      {
        established: ssl => this.#handOut(ssl),
        failed: (ssl, error) => this.#handshakeFailed(ssl, error),
        ended: ssl => this.#forget(ssl),
        drained: done => this.#drained(done),
      },
      {
        handshakeTimeout: validateTimeout(
          options.handshakeTimeout ?? defaultHandshakeTimeout,
          'options.handshakeTimeout',
        ),
      },
    );
    if (optionalFunction(onConnection, 'onConnection') !== undefined)
      this.on('secureConnection', onConnection as () => void);
  }

  /**
   * Starts to listen.
   *
   * @throws Error with the code of the system call: `EADDRINUSE`, `EACCES`; `ERR_TLS_SERVER_LISTENING` if it listens,
   * `ERR_TLS_SERVER_CLOSING` while close() waits for connections
   */
  async listen(options: DtlsListenOptions = {}): Promise<this> {
    const server = own(this);
    validateObject(options, 'options');
    const port = optionalInteger(options.port, 'options.port', 0, 65535) ?? 0;
    const host = optionalString(options.host, 'options.host') || '::';
    const ipv6Only = optionalBoolean(options.ipv6Only, 'options.ipv6Only', false);
    if (server.#accepting) throw tlsError('ERR_TLS_SERVER_LISTENING', 'the server is already listening');
    server.#connections.reopen();
    server.#accepting = true;
    try {
      const address = await numericAddress(host);
      const socket = createSocket({ type: isIP(address) === 6 ? 'udp6' : 'udp4', ipv6Only });
      server.#socket = socket;
      // Closed meanwhile, it never listens.
      const bound = Promise.race([once(socket, 'listening'), once(socket, 'close')]);
      socket.bind({ address, port });
      await bound;
      if (server.#socket !== socket || !server.#accepting)
        throw tlsError('ERR_TLS_CLOSED', 'the server was closed before it listened');
      socket.on('message', (datagram, from) => server.#received(datagram, from));
      socket.on('error', error => void server.emit('error', error));
    } catch (error) {
      server.#accepting = false;
      server.#closeSocket();
      throw error;
    }
    server.emit('listening');
    return this;
  }

  /** Whether it accepts connections. */
  get listening(): boolean {
    return own(this).address() !== null;
  }

  /** Where it listens; null if it does not. */
  address(): AddressInfo | null {
    const server = own(this);
    if (!server.#accepting || server.#socket === null) return null;
    try {
      return server.#socket.address();
    } catch {
      return null; // not bound yet
    }
  }

  /** Connections that are open, in their handshake or after it; a client that begins anew counts once. */
  get connections(): number {
    return own(this).#peers.size;
  }

  /**
   * Datagrams that were for no connection and began none, or for one that had too much to read: whatever a flood is
   * made of.
   */
  get dropped(): number {
    return own(this).#dropped;
  }

  /** Accepts no more; resolves when the last connection has ended, with which the socket is closed. Idempotent. */
  async close(): Promise<void> {
    const server = own(this);
    server.#accepting = false;
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
    own(this).#socket?.ref();
    return this;
  }

  /** Listening no longer keeps the process running. */
  unref(): this {
    own(this).#socket?.unref();
    return this;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // A datagram's way

  #received(datagram: Buffer, { address, port }: RemoteInfo): void {
    const from = { address, port };
    const peer = this.#peers.get(keyOf(from));
    const hello = parseClientHello(datagram);
    const receivers = peer === undefined ? [] : receiversOf(peer, datagram, hello);
    if (receivers.length > 0) {
      // Whatever is not for it, a connection discards.
      for (const { transport } of receivers) if (!transport.receive(datagram)) this.#dropped++;
    } else if (hello === undefined || !this.#accepting) {
      this.#dropped++;
    } else {
      this.#greet(hello, from, datagram);
    }
  }

  /**
   * A cookie shows that somebody received it at this address within the last two minutes, not that the client which has a
   * connection there has begun anew: its ClientHello may be a replay. So that connection lives on until another handshake is
   * complete (RFC 6347 section 4.2.8).
   */
  #greet(hello: ClientHello, from: DatagramPeer, datagram: Buffer): void {
    if (!this.#cookies.verify(hello, from)) {
      this.#send(makeHelloVerifyRequest(hello, this.#cookies.make(hello, from)), from);
      return;
    }
    const peer = this.#peers.get(keyOf(from));
    const old = peer?.established ? peer : undefined;
    (old === undefined ? peer : old.successor)?.ssl.close();
    if (old === undefined && this.#peers.size >= this.maxConnections) this.#dropped++;
    else this.#accept(hello, from, datagram, old);
  }

  #accept({ random }: ClientHello, address: DatagramPeer, datagram: Buffer, old: Peer | undefined): void {
    const ssl = new Ssl(this.#context, { side: 'server' }, this.#settings);
    const transport = new DatagramTransport(ssl.setBio.bind(ssl), answer => this.#send(answer, address));
    const connection = connectionOf(ssl);
    connection.peerName = hostAndPort(address.address, address.port);
    const state = { established: false, successor: undefined };
    const peer: Peer = { ssl, transport, address, random: Buffer.from(random), ...state };
    if (old === undefined) this.#peers.set(keyOf(address), peer);
    else old.successor = peer;
    this.#bySsl.set(ssl, peer);
    this.#connections.add(ssl);
    transport.receive(datagram);
    this.#connections.begin(ssl);
  }

  #send(datagram: Buffer, to: DatagramPeer): void {
    if (this.#socket !== null) send(this.#socket, datagram, to);
  }

  #handOut(ssl: Ssl): void {
    const peer = this.#bySsl.get(ssl);
    if (peer === undefined) return;
    peer.established = true;
    const old = this.#peers.get(keyOf(peer.address));
    if (old?.successor === peer) {
      this.#peers.set(keyOf(peer.address), peer);
      old.ssl.close();
    }
    this.emit('secureConnection', ssl, peer.address);
  }

  #handshakeFailed(ssl: Ssl, error: Error): void {
    const peer = this.#bySsl.get(ssl);
    ssl.close();
    if (peer !== undefined) this.emit('tlsClientError', error, peer.address);
  }

  #forget(ssl: Ssl): void {
    const peer = this.#bySsl.get(ssl);
    if (peer === undefined) return;
    const key = keyOf(peer.address);
    const current = this.#peers.get(key);
    if (current?.successor === peer) current.successor = undefined;
    // Another connection may have taken its place.
    if (current !== peer) return;
    if (peer.successor === undefined) this.#peers.delete(key);
    else this.#peers.set(key, peer.successor);
  }

  #drained(done: () => void): void {
    // What the last connection said last is sent first.
    setImmediate(() => {
      this.#closeSocket();
      done();
      this.emit('close');
    });
  }

  #closeSocket(): void {
    const socket = this.#socket;
    this.#socket = null;
    try {
      socket?.close();
    } catch {
      // It was closed already: it failed.
    }
  }

  static {
    own = server => {
      if (typeof server !== 'object' || server === null || !(#settings in server)) throw invalidThis('DtlsServer');
      return server;
    };
  }
}

/**
 * Makes a server of DTLS over UDP; `await server.listen({ port })` starts it.
 *
 * @param onConnection - called with each connection after its handshake (event `'secureConnection'`), and with its
 * client's address
 */
export function createDtlsServer(
  options: DtlsServerOptions,
  onConnection?: (ssl: Ssl, peer: DatagramPeer) => void,
): DtlsServer {
  return new DtlsServer(options, onConnection);
}
