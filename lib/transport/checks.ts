// Small parts of what an Ssl does.

import { tlsError } from '../base/coded-error.ts';
import type { BioContent } from './bio.ts';
import type { Connection } from './native-connection.ts';

export function assertNoTransport(connection: Connection): void {
  connection.assertOpen();
  if (connection.hasTransport)
    throw tlsError('ERR_TLS_HAS_TRANSPORT', `${connection.description} has a transport already`);
}

/** One may write what the other reads, but two readers would each get a part of the bytes, and two writers mix theirs. */
export function claimBios(connection: Connection, read: BioContent, write: BioContent): void {
  for (const user of [read.reader, write.writer]) {
    if (user !== undefined && user !== connection && !user.closed) {
      throw tlsError('ERR_TLS_BIO_IN_USE', `the Bio is the transport of another connection (${user.description})`);
    }
  }
  read.reader = connection;
  write.writer = connection;
}

export function assertSide(connection: Connection, server: boolean, what: string): void {
  if (connection.server === server) return;
  const [owner, other] = server ? ['a server', 'client'] : ['a client', 'server'];
  throw tlsError('ERR_TLS_WRONG_SIDE', `${what} is for ${owner}; this is the ${other}'s side of a connection`);
}
