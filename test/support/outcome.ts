// How a handshake between two connections in memory ended, in the words of OpenSSL's own tests.
import { constants } from 'node:crypto';
import type { SslContextOptions, SslOptions, TlsAlert } from 'system-tls';
import { certificates, type Identity } from './certificates.ts';
import { type MemoryPair, makePair, type PairOptions } from './memory-pair.ts';

export interface Outcome {
  readonly pair: MemoryPair;
  /** Which side refused: the one that sent a fatal alert, or failed when none was sent. */
  readonly result: 'Success' | 'ClientFail' | 'ServerFail';
  /** The fatal alert that was sent. */
  readonly alert: string | undefined;
}

type Sent = Array<{ readonly side: 'client' | 'server'; readonly name: string | undefined }>;

function listening(sent: Sent, side: 'client' | 'server', own: Partial<SslOptions> = {}): Partial<SslOptions> {
  const alert = ({ direction, level, name }: TlsAlert) => {
    if (direction === 'sent' && level === 'fatal') sent.push({ side, name });
  };
  return { ...own, on: { ...own.on, alert } };
}

/** Runs the handshake, and what a client of TLS 1.3 learns behind its own. */
export async function outcomeOf(options: PairOptions): Promise<Outcome> {
  const sent: Sent = [];
  const pair = makePair({
    ...options,
    clientSsl: listening(sent, 'client', options.clientSsl),
    serverSsl: listening(sent, 'server', options.serverSsl),
  });
  const both = await pair.during(Promise.allSettled([pair.client.connect(), pair.server.accept()]));
  await pair.pump();
  const [first] = sent;
  if (first !== undefined) {
    return { pair, result: first.side === 'client' ? 'ClientFail' : 'ServerFail', alert: first.name };
  }
  const [client, server] = both.map(({ status }) => status === 'fulfilled');
  const result = client && server ? 'Success' : client ? 'ServerFail' : 'ClientFail';
  return { pair, result, alert: undefined };
}

/** `Options = SessionTicket` and `-SessionTicket`. */
export const tickets = (allowed: boolean): SslContextOptions =>
  allowed ? {} : { secureOptions: constants.SSL_OP_NO_TICKET };

/** What TLS 1.0 and 1.1 need: `DEFAULT:@SECLEVEL=0`. */
export const oldVersions: SslContextOptions = { securityLevel: 0, minVersion: 'TLSv1' };

export const identity = ({ cert, key }: Identity): SslContextOptions => ({ cert, key });

/** For clients that meet servers under names which their certificates do not have, as those of OpenSSL's tests do. */
export const anyName = (servername?: string): Partial<SslOptions> => ({ servername, host: 'localhost' });

export const trusting = (): SslContextOptions => ({ ca: certificates().ca.cert });
