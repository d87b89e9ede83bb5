// Does anybody want to see a connection before its handshake, or to be asked in it? Looked at for each one: node's users may
// change their minds at any time.
import { channel } from 'node:diagnostics_channel';
import { type AnyServer, symbolNamed } from './node-tls.ts';

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
  const listeners = server.listeners('connection');
  const [first] = listeners;
  if (listeners.length !== 1) return false;
  if (nodesListener === undefined && first?.name === 'tlsConnectionListener') nodesListener = first as Listener;
  return first === nodesListener;
}

/** As for a socket that has yet to connect. */
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

/** Such as who is let in, which node decides where it has a socket. */
function hasSettings(server: AnyServer): boolean {
  const { maxConnections, blockList, pauseOnConnect, ALPNCallback, _contexts, requestCert, rejectUnauthorized } =
    server as unknown as Settings;
  if ((maxConnections ?? null) !== null || blockList || pauseOnConnect || ALPNCallback) return true;
  // A client without a certificate is told by an alert: see requireCertificate() of the handle.
  return _contexts.length > 0 || Boolean(requestCert && rejectUnauthorized);
}

export class Asking {
  readonly #server: AnyServer;
  readonly #settings: readonly symbol[];

  constructor(server: AnyServer) {
    this.#server = server;
    this.#settings = askingSettings.flatMap(name => symbolNamed(server, name) ?? []);
  }

  nobody(): boolean {
    const server = this.#server;
    return (
      !(everyoneAsks || sockets.hasSubscribers || hasSettings(server)) &&
      isSoleListener(server) &&
      this.#settings.every(setting => !server[setting]) &&
      askingEvents.every(event => server.listenerCount(event) === 0)
    );
  }
}
