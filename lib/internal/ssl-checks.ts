// Small parts of what an Ssl does.
import type { BioContent } from '../bio.ts';
import { tlsError } from './coded-error.ts';
import type { Connection } from './connection.ts';

export function assertNoTransport(connection: Connection): void {
  connection.assertOpen();
  if (connection.hasTransport)
    throw tlsError('ERR_TLS_HAS_TRANSPORT', `${connection.description} has a transport already`);
}

/** Two connections on one queue of bytes would each get a part of them. */
export function claimBios(connection: Connection, bios: readonly BioContent[]): void {
  for (const { owner } of bios) {
    if (owner !== undefined && owner !== connection && !owner.closed) {
      throw tlsError('ERR_TLS_BIO_IN_USE', `the Bio is the transport of another connection (${owner.description})`);
    }
  }
  for (const bio of bios) bio.owner = connection;
}

export function assertSide(connection: Connection, server: boolean, what: string): void {
  if (connection.server === server) return;
  const [owner, other] = server ? ['a server', 'client'] : ['a client', 'server'];
  throw tlsError('ERR_TLS_WRONG_SIDE', `${what} is for ${owner}; this is the ${other}'s side of a connection`);
}

export function peerUpdate(connection: Connection, op: number): Promise<void> {
  const updated = new Promise<void>((resolve, reject) => {
    connection.expectPeerUpdate(op, { done: () => resolve(), failed: reject });
  });
  // Who does not care for it must not be punished by an unhandled rejection.
  updated.catch(() => undefined);
  return updated;
}
