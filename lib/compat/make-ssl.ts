// The connection under a handle, as node has told what it is to be like.
import { isIP } from 'node:net';
import type { SslOptions } from '../connection/options.ts';
import { ConnectionSettings } from '../connection/settings.ts';
import { Ssl } from '../connection/ssl.ts';
import { contextArgument, type SslContext } from '../context/context.ts';
import { SslSession } from '../session/session.ts';
import { callbacksOf } from './handshake.ts';
import type { HandleSettings, NodeHandle } from './node-handle.ts';

interface Shared {
  readonly options: SslOptions;
  readonly settings: ConnectionSettings;
}

/** What the connections of a server have in common that ask nobody: by context, and by what node tells of each. */
const shared = new WeakMap<SslContext, Map<string, Shared>>();

// node's JavaScript decides about certificates, when the handshake is done.
const undecided = { rejectUnauthorized: false } as const;

function serverOptions({ requestCert, protocols }: HandleSettings): SslOptions {
  return { side: 'server', ...undecided, requestCert, ...(protocols !== undefined && { ALPNProtocols: protocols }) };
}

function sharedBy(context: SslContext, settings: HandleSettings): Shared {
  const known = shared.get(context) ?? new Map<string, Shared>();
  shared.set(context, known);
  const key = `${settings.requestCert}/${settings.protocols?.join()}`;
  let found = known.get(key);
  if (found === undefined) {
    const options = serverOptions(settings);
    found = {
      options,
      settings: new ConnectionSettings(contextArgument(context, 'context'), options, undefined, true),
    };
    known.set(key, found);
  }
  return found;
}

const asksNobody = ({ asksCertificate, asksSession, asksProtocol, asksPsk, keylog }: HandleSettings): boolean =>
  !(asksCertificate || asksSession || asksProtocol || asksPsk || keylog);

function clientOptions({ servername, protocols, session }: HandleSettings): SslOptions {
  return {
    side: 'client',
    ...undecided,
    host: false,
    ...(servername !== undefined && isIP(servername) === 0 && { servername }),
    ...(protocols !== undefined && { ALPNProtocols: protocols }),
    ...(session !== undefined && { session: SslSession.from(session) }),
  };
}

export function makeSsl(context: SslContext, handle: NodeHandle): Ssl {
  const { settings } = handle;
  if (settings.server && asksNobody(settings)) {
    const { options, settings: common } = sharedBy(context, settings);
    return new Ssl(context, options, common);
  }
  const own = settings.server ? serverOptions(settings) : clientOptions(settings);
  return new Ssl(context, { ...own, ...callbacksOf(handle) } as SslOptions);
}
