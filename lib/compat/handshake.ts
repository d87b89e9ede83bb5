// What a handshake asks, as node's TLSWrap asks node's JavaScript for it: by a call, and a call back when it is decided.
import type { CallbackOptions } from '../callbacks/options.ts';
import type { SslListeners } from '../connection/events.ts';
import type { HandshakeCallbacks } from '../context/context.ts';
import { openssl } from '../library/openssl.ts';
import type { SslSession } from '../session/session.ts';
import { throwLater } from '../transport/dispatch.ts';
import type { NodeHandle } from './node-handle.ts';
import { privateOf } from './node-tls.ts';
import { contextOf } from './secure-context.ts';

const statusRequest = 5;
/** PSK_MAX_PSK_LEN and PSK_MAX_IDENTITY_LEN of <openssl/ssl.h>. */
const maxPsk = 512;
const maxIdentity = 256;

/** node gives what it was given to OpenSSL, which says this. */
const invalidContext = (): Error =>
  Object.assign(new TypeError('Invalid SNI context'), { code: 'ERR_TLS_INVALID_CONTEXT' });

type OnPskExchange = (a: unknown, b: number, c?: number) => unknown;

function wireForm(protocols: readonly string[]): Buffer {
  return Buffer.concat(protocols.flatMap(each => [Buffer.from([each.length]), Buffer.from(each, 'latin1')]));
}

/** 'SNICallback' and 'OCSPRequest'. */
function certificateChoice(handle: NodeHandle): HandshakeCallbacks {
  return {
    onClientHello: hello =>
      new Promise(resolve => {
        handle.certificateChosen = () => {
          handle.certificateChosen = undefined;
          const chosen = contextOf(handle.sni_context);
          // node's JavaScript ends the connection, and the client hears nothing.
          if (chosen === undefined && handle.sni_context) handle.onerror?.(invalidContext());
          else resolve(chosen === undefined ? null : { context: chosen.ssl });
        };
        handle.helloName = hello.serverName ?? undefined;
        // Also a socket whose handshake fails knows it.
        handle.socket['servername'] = hello.serverName ?? false;
        const OCSPRequest = hello.extensions.some(({ type }) => type === statusRequest);
        handle.oncertcb?.({ servername: hello.serverName ?? undefined, OCSPRequest });
      }),
    onStatusRequest: () => handle.ocspResponse ?? null,
  };
}

/** What a listener throws is of the application, and an uncaught exception as in node; the connection goes on. */
function heard(tell: () => void, failed: () => void): void {
  try {
    tell();
  } catch (error) {
    failed();
    throwLater(error);
  }
}

/** 'newSession' and 'resumeSession'. */
function sessionStore(handle: NodeHandle): HandshakeCallbacks {
  return {
    onNewSession: (id, session) =>
      heard(
        () => handle.onnewsession?.(id, session),
        () => {
          // Of node's: it waits for the call back, which the listener no longer makes.
          handle.socket['_newSessionPending'] = false;
        },
      ),
    onResumeSession: id =>
      new Promise(resolve => {
        handle.sessionLooked = () => {
          handle.sessionLooked = undefined;
          resolve(handle.loadedSession ?? null);
        };
        const { servername } = handle.ssl ?? {};
        const hello = { sessionId: id, servername: servername ?? undefined, tlsTicket: false };
        heard(
          () => handle.onclienthello?.(hello),
          () => resolve(null),
        );
      }),
  };
}

/** setKeyCert(), in one of the functions before. */
function ownCertificate(handle: NodeHandle): HandshakeCallbacks {
  return { onCertificate: () => handle.settings.keyCert?.identity ?? null };
}

/** 'OCSPResponse', of which a listener may destroy the socket: before the handshake ends, where OpenSSL can wait. */
function statusOption(handle: NodeHandle): HandshakeCallbacks {
  const onStatus = (response: Buffer | null): boolean => {
    handle.tellStatus(response);
    return true;
  };
  return { requestOCSP: true, ...(openssl.features.async && { onStatus }) };
}

function protocolChoice(handle: NodeHandle): HandshakeCallbacks {
  return {
    onALPN: ({ protocols }) => {
      const list = wireForm(protocols);
      const offset = handle.ALPNCallback?.(list);
      if (offset === undefined) return null;
      const length = list[offset] ?? 0;
      return list.toString('latin1', offset + 1, offset + 1 + length);
    },
  };
}

function preSharedKeys(handle: NodeHandle): HandshakeCallbacks {
  const exchange = privateOf(handle, 'onpskexchange') as OnPskExchange | undefined;
  const { server, pskHint } = handle.settings;
  return {
    ...(pskHint !== undefined && { pskIdentityHint: pskHint }),
    onPsk: (request => {
      const { identity, hint } = request as { identity?: string | null; hint?: string | null };
      const given = server
        ? exchange?.call(handle, identity, maxPsk)
        : exchange?.call(handle, hint ?? null, maxPsk, maxIdentity);
      if (given === undefined || given === null) return null;
      if (server) return given;
      const { psk, identity: own } = given as { psk: Uint8Array; identity: string };
      return { key: psk, identity: own };
    }) as NonNullable<CallbackOptions<never, never>['onPsk']>,
  } as HandshakeCallbacks;
}

function listeners(handle: NodeHandle): SslListeners {
  const { server, asksSession, keylog } = handle.settings;
  return {
    ...(!server && {
      session: (session: SslSession) => {
        if (!asksSession && !handle.settings.asksSession) return;
        handle.toldSession = session.serialize();
        handle.toldTicket = session.ticket ?? undefined;
        handle.onnewsession?.(session.id, handle.toldSession);
      },
    }),
    ...(keylog && { keylog: (line: Buffer) => handle.onkeylog?.(line) }),
  } as SslListeners;
}

/** Options of the connection that asks what node wants to be asked. */
export function callbacksOf(handle: NodeHandle): HandshakeCallbacks & { readonly on: SslListeners } {
  const { server, asksCertificate, asksSession, asksProtocol, asksPsk, requestOCSP } = handle.settings;
  return {
    ...(server && asksCertificate && certificateChoice(handle)),
    ...(server && asksSession && sessionStore(handle)),
    ...(server && asksProtocol && protocolChoice(handle)),
    ...(server && (asksProtocol || asksCertificate) && ownCertificate(handle)),
    ...(asksPsk && preSharedKeys(handle)),
    ...(!server && requestOCSP && statusOption(handle)),
    on: listeners(handle),
  };
}
