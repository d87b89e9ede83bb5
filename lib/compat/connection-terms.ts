// What a server of node's says of the connections that native code accepts for it: all that are accepted meanwhile have it in common.
import type { IoPool } from '../connection/io-pool.ts';
import { Ssl } from '../connection/ssl.ts';
import type { SslContext } from '../context/context.ts';
import type { Handle } from './handle.ts';
import { poolOfServer } from './io.ts';
import { type Shared, sharedBy } from './make-ssl.ts';
import { protocolsOf } from './node-handle.ts';
import { type AnyServer, nodeTls } from './node-tls.ts';
import { contextOf } from './secure-context.ts';

type NodeSecureContext = Handle['_secureContext'];

interface Options {
  readonly secureContext: NodeSecureContext;
  readonly requestCert: boolean;
  readonly rejectUnauthorized: boolean;
  /** As the server has them. */
  readonly protocols: unknown;
  readonly pool: IoPool | undefined;
}

export interface Terms extends Options {
  readonly context: SslContext;
  readonly shared: Shared;
  /** Behind the end of the handshake, without being asked. */
  readonly reads: boolean;
}

function optionsOf(server: AnyServer): Options {
  return {
    secureContext: server['_sharedCreds'] as NodeSecureContext,
    requestCert: Boolean(server['requestCert']),
    rejectUnauthorized: Boolean(server['rejectUnauthorized']),
    protocols: server['ALPNProtocols'],
    pool: poolOfServer(server),
  };
}

const isSame = (a: Options, b: Options): boolean =>
  a.secureContext === b.secureContext &&
  a.requestCert === b.requestCert &&
  a.rejectUnauthorized === b.rejectUnauthorized &&
  a.protocols === b.protocols &&
  a.pool === b.pool;

/** Whatever form the user has assigned. */
function namesOf(protocols: unknown): string[] | undefined {
  if (!protocols) return undefined;
  const wire: { ALPNProtocols?: Uint8Array } = {};
  const convert = nodeTls['convertALPNProtocols'] as (protocols: unknown, out: object) => void;
  convert(protocols, wire);
  return wire.ALPNProtocols === undefined ? undefined : protocolsOf(wire.ALPNProtocols);
}

/**
 * @param known - those of the connection before, which nobody may have changed
 * @returns undefined: its context is node's own
 */
export function currentTerms(server: AnyServer, known: Terms | undefined): Terms | undefined {
  const options = optionsOf(server);
  if (known !== undefined && isSame(known, options)) return known;
  const { secureContext, requestCert, protocols, pool } = options;
  const context = contextOf(secureContext)?.ssl;
  if (context === undefined) return undefined;
  const names = namesOf(protocols);
  // HTTP/2 reads elsewhere.
  const reads = pool !== undefined && names?.includes('h2') !== true;
  return { ...options, context, shared: sharedBy(context, { requestCert, protocols: names }, pool), reads };
}

/** Undefined: its pool is closed, or there is no memory. */
export function makeSsl({ context, shared: { options, settings } }: Terms): Ssl | undefined {
  try {
    return new Ssl(context, options, settings);
  } catch {
    return undefined;
  }
}
