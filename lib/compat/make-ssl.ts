// The connection under a handle, as node has told what it is to be like.
import { isIP } from 'node:net';
import type { IoPool } from '../connection/io-pool.ts';
import type { SslOptions } from '../connection/options.ts';
import { ConnectionSettings, type InternalOptions } from '../connection/settings.ts';
import { Ssl } from '../connection/ssl.ts';
import { contextArgument, type SslContext } from '../context/context.ts';
import { callbacksOf } from './handshake.ts';
import type { HandleSettings, NodeHandle } from './node-handle.ts';

export interface Shared {
  readonly options: SslOptions;
  readonly settings: ConnectionSettings;
}

type ByPlace = WeakMap<object, Map<string, Shared>>;

/** What the connections of a server have in common that ask nobody: by context, place, and what node tells of each. */
const shared = new WeakMap<SslContext, ByPlace>();
const loop = {};

// node's JavaScript decides about certificates, when the handshake is done.
const undecided = { rejectUnauthorized: false } as const;

function serverOptions(
  { requestCert, protocols }: Pick<HandleSettings, 'requestCert' | 'protocols'>,
  io: IoPool | undefined,
): SslOptions {
  return {
    side: 'server',
    io,
    ...undecided,
    requestCert,
    ...(protocols !== undefined && { ALPNProtocols: protocols }),
  };
}

export function sharedBy(
  context: SslContext,
  settings: Pick<HandleSettings, 'requestCert' | 'protocols'>,
  io: IoPool | undefined,
): Shared {
  const places: ByPlace = shared.get(context) ?? new WeakMap();
  shared.set(context, places);
  const known = places.get(io ?? loop) ?? new Map<string, Shared>();
  places.set(io ?? loop, known);
  const key = JSON.stringify([settings.requestCert, settings.protocols]);
  let found = known.get(key);
  if (found === undefined) {
    const options = serverOptions(settings, io);
    found = {
      options,
      settings: new ConnectionSettings(contextArgument(context, 'context'), options, undefined, true),
    };
    known.set(key, found);
  }
  return found;
}

export const asksNobody = ({ asksCertificate, asksSession, asksProtocol, asksPsk, keylog }: HandleSettings): boolean =>
  !(asksCertificate || asksSession || asksProtocol || asksPsk || keylog);

function clientOptions({ servername, protocols, session }: HandleSettings, io: IoPool | undefined): SslOptions {
  return {
    side: 'client',
    io,
    ...undecided,
    host: false,
    ...(servername !== undefined && isIP(servername) === 0 && !isSentRaw(servername) && { servername }),
    ...(protocols !== undefined && { ALPNProtocols: protocols }),
    ...(session !== undefined && { session }),
  };
}

/** Names that this package refuses, and node sends: one whose last part is a number could be read as an address. */
const sentRaw = /^(?:[\w-]+\.)+\d{1,63}$/;

/** What node does, and this package's own API does not. */
function internalOptions({ server, servername, asksSession }: HandleSettings): InternalOptions {
  if (server) return { staplesAnything: true, ...(asksSession && { ticketsToo: true }) };
  return isSentRaw(servername) ? { servername } : {};
}

const isSentRaw = (name: string | undefined): name is string =>
  name !== undefined && isIP(name) === 0 && name.length < 256 && sentRaw.test(name);

/** @param io - where it lives; default: on the loop */
export function makeSsl(context: SslContext, handle: NodeHandle, io: IoPool | undefined): Ssl {
  const { settings } = handle;
  if (settings.server && asksNobody(settings)) {
    const { options, settings: common } = sharedBy(context, settings, io);
    return new Ssl(context, options, common);
  }
  const own = settings.server ? serverOptions(settings, io) : clientOptions(settings, io);
  return new Ssl(context, { ...own, ...callbacksOf(handle) } as SslOptions, internalOptions(settings));
}
