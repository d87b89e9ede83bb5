// Who observes a connection of a server before its handshake, or is asked about it in the handshake. It is looked at for each connection,
// because listeners and settings may change at any time.
import { channel } from 'node:diagnostics_channel';
import { EventEmitter } from 'node:events';
import { type AnyServer, privateOf, symbolNamed } from './node-tls.ts';

/** Both are for sockets that are there before their handshake. */
const everyoneAsks = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)].some(flag =>
  /^--(?:trace[-_]tls|tls[-_]keylog)/.test(flag),
);

/** Told of each net.Socket that a server has made. */
const sockets = channel('net.server.socket');

const askingEvents = ['newSession', 'resumeSession', 'OCSPRequest', 'keylog'] as const;

/** Of a server, by the description of the symbol under which node keeps them. */
const askingSettings = ['snicallback', 'pskcallback', 'enableTrace'] as const;

type Listener = (this: AnyServer) => void;

/** node's own of 'connection', which makes the TLSSocket: the same one of all servers. */
let nodesListener: Listener | undefined;

function isSoleListener(server: AnyServer): boolean {
  // Another emit() sees events that have no listener.
  if (server.emit !== EventEmitter.prototype.emit) return false;
  const listeners = server.listeners('connection');
  const [first] = listeners;
  if (listeners.length !== 1) return false;
  if (nodesListener === undefined && first?.name === 'tlsConnectionListener') nodesListener = first as Listener;
  return first === nodesListener;
}

/** Node's listener without a socket makes a TLSSocket that has none beneath. */
export function makeNodesSocket(server: AnyServer): void {
  nodesListener?.call(server);
}

interface Settings {
  readonly ALPNCallback?: unknown;
  readonly blockList?: unknown;
  readonly maxConnections?: unknown;
  readonly pauseOnConnect?: unknown;
  readonly rejectUnauthorized?: unknown;
  readonly requestCert?: unknown;
  readonly _contexts: readonly unknown[];
}

/** Node itself applies these, to the socket that it has before the handshake. */
function hasSettings(server: AnyServer): boolean {
  const { maxConnections, blockList, pauseOnConnect, ALPNCallback, _contexts, requestCert, rejectUnauthorized } =
    server as unknown as Settings;
  if ((maxConnections ?? null) !== null || blockList || pauseOnConnect || ALPNCallback) return true;
  // A client without a certificate is told by an alert: see requireCertificate() of the handle.
  return _contexts.length > 0 || Boolean(requestCert && rejectUnauthorized);
}

/** The longest that a timer of node's takes. */
const longestTimer = 2 ** 31 - 1;

function timeoutOf(server: AnyServer): number | undefined {
  const timeout = privateOf(server, 'handshake-timeout');
  return typeof timeout === 'number' && timeout > 0 && timeout <= longestTimer ? timeout : undefined;
}

export class Observers {
  readonly #server: AnyServer;
  readonly #settings: readonly symbol[];
  /** Milliseconds. Undefined: node has it elsewhere, or it is one that node itself is to refuse. */
  readonly handshakeTimeout: number | undefined;
  /** Node keeps its settings where this looks. */
  readonly #known: boolean;

  constructor(server: AnyServer) {
    this.#server = server;
    this.#settings = askingSettings.flatMap(name => symbolNamed(server, name) ?? []);
    this.handshakeTimeout = timeoutOf(server);
    this.#known = this.#settings.length === askingSettings.length && this.handshakeTimeout !== undefined;
  }

  none(): boolean {
    const server = this.#server;
    return (
      this.#known &&
      !(everyoneAsks || sockets.hasSubscribers || hasSettings(server)) &&
      isSoleListener(server) &&
      this.#settings.every(setting => !server[setting]) &&
      askingEvents.every(event => server.listenerCount(event) === 0)
    );
  }
}
