// system-tls/tls: node:tls over the system's OpenSSL.
import type * as Tls from 'node:tls';
import type { Ssl } from '../connection/ssl.ts';
import { handleOf } from './engine.ts';
import { nodeTls } from './node-tls.ts';
import { constructedOver, over } from './over.ts';
import { createSecureContext } from './secure-context.ts';

export const Server: typeof Tls.Server = constructedOver(nodeTls.Server);
export const TLSSocket: typeof Tls.TLSSocket = constructedOver(nodeTls.TLSSocket);
export const connect: typeof Tls.connect = over(nodeTls.connect);
export const createServer: typeof Tls.createServer = over(nodeTls.createServer);
export { createSecureContext };
export const { checkServerIdentity, getCiphers, rootCertificates, CLIENT_RENEG_LIMIT, CLIENT_RENEG_WINDOW } = nodeTls;

/**
 * The connection of this package under a socket, with all that it can do: key updates, post-handshake authentication, events.
 * Null: the socket is over, its handshake has not begun, or it is one of node's own.
 */
export function sslOf(socket: Tls.TLSSocket | null): Ssl | null {
  return handleOf(socket)?.ssl ?? null;
}

/** All that node:tls has, whatever the version, and ours where it makes connections. What is assigned to DEFAULT_* counts. */
const tls: typeof Tls = Object.create(
  nodeTls,
  Object.getOwnPropertyDescriptors({ Server, TLSSocket, connect, createServer, createSecureContext }),
);
for (const name of Object.keys(nodeTls)) {
  if (Object.hasOwn(tls, name)) continue;
  Object.defineProperty(tls, name, {
    configurable: true,
    enumerable: true,
    get: () => nodeTls[name],
    set: (value: unknown) => {
      Object.assign(nodeTls, { [name]: value });
    },
  });
}

export default tls;
