// What node:tls lacks, as methods of its sockets: key updates, and asking a client for its certificate after the handshake.
import type { Duplex } from 'node:stream';
import { closedError, tlsError } from '../base/coded-error.ts';
import type { KeyUpdateOptions, KeyUpdateResult, RequestClientCertificateOptions } from '../connection/options.ts';
import type { Ssl } from '../connection/ssl.ts';
import type { Handle } from './handle.ts';
import { type AnySocket, socketPrototype } from './node-tls.ts';
import { handleUnder } from './stream-handle.ts';

/** What a TLSSocket has besides. On one of node's own the promises reject with `ERR_TLS_NODE_SOCKET`. */
export interface Control {
  /** See {@link Ssl.keyUpdate}. */
  keyUpdate(options?: KeyUpdateOptions): Promise<KeyUpdateResult>;
  /**
   * See {@link Ssl.requestClientCertificate}; `authorized`, `authorizationError` and `getPeerCertificate()` speak of the certificate
   * afterwards. One that is not trusted ends the socket and rejects with why, unless the server has `rejectUnauthorized: false`.
   */
  requestClientCertificate(options?: RequestClientCertificateOptions): Promise<void>;
}

/** The handle of ours under a socket; undefined: it has node's, or none. */
export function handleOf(socket: object | null | undefined): Handle | undefined {
  return handleUnder((socket as AnySocket | null | undefined)?.['_handle']);
}

function controlled(socket: AnySocket, what: string): { readonly handle: Handle; readonly ssl: Ssl } {
  if (socket['_handle'] === null || socket.destroyed) throw closedError('the socket');
  const handle = handleOf(socket);
  if (handle === undefined) {
    const advice = 'make it by system-tls/tls, or load system-tls/register before everything else';
    throw tlsError('ERR_TLS_NODE_SOCKET', `${what} is not for a socket over node's own OpenSSL: ${advice}`);
  }
  if (handle.ssl === undefined) {
    throw tlsError('ERR_TLS_INVALID_STATE', `${what} is for a socket whose handshake has begun`);
  }
  return { handle, ssl: handle.ssl };
}

/** As node's own JavaScript does at the end of a server's handshake. */
function judge(socket: AnySocket, handle: Handle): void {
  // Another call has refused the peer meanwhile, or it has left: what was said of it last holds.
  if (socket.destroyed || handle.ssl?.closed !== false) throw closedError('the socket');
  const error = handle.verifyError() as NodeJS.ErrnoException | null;
  Object.assign(socket, { authorized: error === null, authorizationError: error?.code ?? null });
  if (error === null || !handle.hasPeerCertificate() || socket['_rejectUnauthorized'] !== true) return;
  socket.destroy();
  throw error;
}

/** Not seen by who lists what a socket has: as methods of a class. */
function define(methods: Record<string, (this: AnySocket, ...args: never[]) => unknown>): void {
  for (const [name, value] of Object.entries(methods)) {
    Object.defineProperty(socketPrototype, name, { value, configurable: true, writable: true, enumerable: false });
  }
}

define({
  async keyUpdate(options?: KeyUpdateOptions): Promise<KeyUpdateResult> {
    return controlled(this, 'keyUpdate()').ssl.keyUpdate(options);
  },
  async requestClientCertificate(options?: RequestClientCertificateOptions): Promise<void> {
    const { handle, ssl } = controlled(this, 'requestClientCertificate()');
    await ssl.requestClientCertificate(options);
    judge(this, handle);
  },
});

/**
 * The connection of this package under a socket, with all that it can do: key updates, post-handshake authentication, events.
 * Null: the socket is over, its handshake has not begun, or it is one of node's own.
 */
export function sslOf(socket: Duplex | null | undefined): Ssl | null {
  return handleOf(socket)?.ssl ?? null;
}
