// The functions of the application's that a handshake asks, but for verification and the context by name.
import type { X509Certificate } from 'node:crypto';
import { invalidArgValue } from '../base/coded-error.ts';
import { optionalBoolean, optionalFunction, optionalString, validateText } from '../base/validate.ts';
import { QuestionKind } from '../native/constants.ts';
import type { ClientHello } from './client-hello.ts';
import { type OnPsk, type PresharedKey, presharedKeys } from './psk.ts';
import type { CallbackRequest } from './request.ts';

type Awaitable<T> = T | PromiseLike<T>;

export interface ProtocolRequest extends CallbackRequest {
  /** What the client offers, by its preference. */
  readonly protocols: readonly string[];
  /** The name that the client sent, or null. */
  readonly servername: string | null;
}

export interface CertificateRequest extends CallbackRequest {
  /** The name that the client sent, or null; of a client its own. */
  readonly servername: string | null;
  /** What the peer verifies, by its preference: names of RFC 8446 section 4.2.3. Unknown ones as `'0x0a0a'`. */
  readonly signatureAlgorithms: readonly string[];
  /** On a client: subjects of the authorities that the server names; empty if it names none. */
  readonly authorities: readonly string[];
  /** On a client up to TLS 1.2: types of certificates (RFC 5246 section 7.4.4): `'rsa_sign'`, `'ecdsa_sign'`. */
  readonly certificateTypes: readonly string[];
}

export interface StatusRequest extends CallbackRequest {
  /** The own certificate that OpenSSL may choose. */
  readonly certificate: X509Certificate;
  /** Out of its chain; null: it is not there. */
  readonly issuer: X509Certificate | null;
}

/** Nothing: go on. An alert ends the handshake, by its name in RFC 8446 section 6. */
export type OnClientHello<Settings> = (
  hello: ClientHello,
  request: CallbackRequest,
) => Awaitable<Settings | { readonly alert: string } | null | undefined>;

/** One of the protocols; nothing: the alert no_application_protocol, as in node:tls. */
export type OnALPN = (request: ProtocolRequest) => Awaitable<string | null | undefined>;

/** Nothing: the certificates that are there. */
export type OnCertificate<Credentials> = (request: CertificateRequest) => Awaitable<Credentials | null | undefined>;

/** The response in DER; nothing: none is stapled. */
export type OnStatusRequest = (request: StatusRequest) => Awaitable<Uint8Array | null | undefined>;

/**
 * True accepts.
 *
 * @param response - in DER (RFC 6960); null: the server has stapled none
 */
export type OnStatus = (response: Buffer | null, request: CallbackRequest) => Awaitable<boolean>;

/**
 * The session that was kept under this id, in bytes; nothing: a full handshake.
 */
export type OnResumeSession = (id: Buffer, request: CallbackRequest) => Awaitable<Uint8Array | null | undefined>;

/** Hears of it; a promise is not awaited. */
export type OnNewSession = (id: Buffer, session: Buffer, request: CallbackRequest) => unknown;
export type OnRemoveSession = (id: Buffer, request: CallbackRequest) => unknown;

/**
 * Functions that a handshake asks; null: nobody, whatever the context says. Each may answer by a promise: the handshake
 * waits, within its timeout. What one throws ends its own handshake, with the alert internal_error (onPsk up to TLS 1.2: unknown_psk_identity, and on a client none) and an error whose
 * `cause` it is. Called once in a handshake, also if there is a HelloRetryRequest.
 */
export interface CallbackOptions<Settings, Credentials> extends PskOptions {
  /**
   * Servers: shown what the client said first, before anything is decided. It may refuse, or give settings of this
   * connection alone. A renegotiation is shown too: what it is answered is nothing, or an alert.
   * SSL_CTX_set_client_hello_cb(3).
   */
  readonly onClientHello?: OnClientHello<Settings> | null | undefined;
  /**
   * Servers: chooses among the protocols that the client offers; who offers none is not asked about. Instead of
   * ALPNProtocols. SSL_CTX_set_alpn_select_cb(3).
   */
  readonly onALPN?: OnALPN | null | undefined;
  /**
   * Chooses the own certificate: on a server once the client's hello is known, on a client when the server asks, also in a
   * renegotiation and in post-handshake authentication, which a client offers if it has this function. The certificate
   * that it gives stays the connection's. SSL_set_cert_cb(3).
   */
  readonly onCertificate?: OnCertificate<Credentials> | null | undefined;
  /**
   * Servers: the OCSP response to staple, for a client that asks for one; called for each of the own certificates among
   * which OpenSSL may choose. It delays the handshake: keep responses, and answer at once. SSL_CTX_set_tlsext_status_cb(3).
   */
  readonly onStatusRequest?: OnStatusRequest | null | undefined;
  /** Clients: ask for an OCSP response (RFC 6066 section 8); see {@link SslState.ocspResponse}. Default: if there is onStatus. */
  readonly requestOCSP?: boolean | undefined;
  /**
   * Clients: judges the OCSP response. False ends the handshake with the alert bad_certificate_status_response. A resumed
   * handshake asks nobody. It waits in an ASYNC job (ASYNC_start_job(3)). SSL_CTX_set_tlsext_status_cb(3).
   */
  readonly onStatus?: OnStatus | null | undefined;
  /**
   * Servers: the application keeps the sessions, for a fleet that has no ticket keys in common. Told of each, in bytes that
   * hold its secrets. With this function or {@link onResumeSession} OpenSSL keeps no session itself and makes no tickets.
   * SSL_CTX_sess_set_new_cb(3), SSL_OP_NO_TICKET.
   */
  readonly onNewSession?: OnNewSession | null | undefined;
  /**
   * Servers: looks up the session that a client asks for. A store that is gone, slow (a second) or holds something else
   * costs a full handshake and a warning, one for each function. SSL_CTX_sess_set_get_cb(3).
   */
  readonly onResumeSession?: OnResumeSession | null | undefined;
  /** Servers: a connection that made the session has ended with a fatal alert; it must not be resumed (RFC 5246 section 7.2.2). */
  readonly onRemoveSession?: OnRemoveSession | null | undefined;
}

/** Keys that both sides have beforehand, instead of certificates. */
export interface PskOptions {
  /**
   * Keys that are known: a client's own (the first), or those that a server takes. The ciphers of a key's hash go first, since
   * TLS 1.3 ignores a key of another. Up to TLS 1.2 a cipher that uses keys must be among `ciphers` (OpenSSL's default has
   * some). Null: none, whatever the context has. SSL_set_psk_use_session_callback(3), SSL_set_psk_find_session_callback(3),
   * SSL_set_psk_client_callback(3), SSL_set_psk_server_callback(3).
   */
  readonly psk?: PresharedKey | readonly PresharedKey[] | null | undefined;
  /**
   * Gives the key. A client is asked before its handshake, and again by a server of TLS 1.2 that gives a hint; a server is asked
   * about each identity that the client offers and {@link psk} does not have, until it has a key, up to TLS 1.2 in an ASYNC
   * job. A connection that uses such a key says so by {@link SslState.psk}; it is kept in no session.
   */
  readonly onPsk?: OnPsk | null | undefined;
  /** Servers up to TLS 1.2: told to clients that ask which identity to take. SSL_use_psk_identity_hint(3). */
  readonly pskIdentityHint?: string | undefined;
  /** A handshake that uses no such key fails with `ERR_TLS_PSK_REQUIRED`; default false: certificates will do too. */
  readonly pskRequired?: boolean | undefined;
}

/** With whatever settings and credentials. */
export type Callbacks = CallbackOptions<unknown, unknown>;

const asked = [
  'onClientHello',
  'onALPN',
  'onCertificate',
  'onStatusRequest',
  'onStatus',
  'onResumeSession',
  'onPsk',
] as const;
const functions = [...asked, 'onNewSession', 'onRemoveSession'] as const;

/** Names of the options, for whoever cannot have them. */
export const callbackNames: readonly string[] = [...functions, 'requestOCSP', 'psk', 'pskIdentityHint', 'pskRequired'];

const sides: Readonly<Record<(typeof asked)[number], readonly [kind: number, server: boolean, client: boolean]>> = {
  onClientHello: [QuestionKind.ClientHello, true, false],
  onALPN: [QuestionKind.Protocol, true, false],
  onCertificate: [QuestionKind.Certificate, true, true],
  onStatusRequest: [QuestionKind.StatusRequest, true, false],
  onStatus: [QuestionKind.Status, false, true],
  onResumeSession: [QuestionKind.Session, true, false],
  onPsk: [QuestionKind.Psk, true, true],
};

/** Of nearly all. */
export const noCallbacks: CallbackOptions<never, never> = Object.freeze({});

const isCallback = new Set(callbackNames);

function hasCallbacks(options: object): boolean {
  for (const name in options) if (isCallback.has(name)) return true;
  return false;
}

/** What options say, and no more: null says that nobody is asked. `noCallbacks` for those that say nothing. */
export function givenCallbacks<Settings, Credentials>(
  options: CallbackOptions<Settings, Credentials>,
): CallbackOptions<Settings, Credentials> {
  if (!hasCallbacks(options)) return noCallbacks;
  const given: Record<string, unknown> = {};
  for (const name of functions) {
    const value = options[name];
    optionalFunction(value ?? undefined, `options.${name}`);
    if (value !== undefined) given[name] = value;
  }
  if (options.requestOCSP !== undefined && options.requestOCSP !== null) {
    given['requestOCSP'] = optionalBoolean(options.requestOCSP, 'options.requestOCSP', false);
  }
  presharedKeys(options.psk);
  if (options.psk !== undefined) given['psk'] = options.psk;
  const hint = optionalString(options.pskIdentityHint, 'options.pskIdentityHint');
  if (hint !== undefined) given['pskIdentityHint'] = validateText(hint, 'options.pskIdentityHint');
  if (options.pskRequired !== undefined && options.pskRequired !== null) {
    given['pskRequired'] = optionalBoolean(options.pskRequired, 'options.pskRequired', false);
  }
  return given;
}

/** node:tls's rule. */
export function assertOneWayToProtocol(options: { readonly onALPN?: unknown; readonly ALPNProtocols?: unknown }): void {
  const { onALPN, ALPNProtocols } = options;
  if (!onALPN || ALPNProtocols === undefined || ALPNProtocols === null) return;
  throw invalidArgValue('options.onALPN', 'is beside "options.ALPNProtocols": one of them decides', onALPN);
}

/** Bits of NativeConnectionOptions.asks. */
export function callbackMask(callbacks: Callbacks, server: boolean): number {
  if (callbacks === noCallbacks) return 0;
  let mask = 0;
  for (const name of asked) {
    const [kind, onServer, onClient] = sides[name];
    if (callbacks[name] && (server ? onServer : onClient)) mask |= 1 << (kind - 1);
  }
  return mask;
}

/** Whether the application keeps the sessions of a server. */
export function keepsSessions({ onNewSession, onResumeSession }: Callbacks): boolean {
  return Boolean(onNewSession ?? onResumeSession);
}

/** Whether a client asks for an OCSP response. */
export function requestsStatus({ requestOCSP, onStatus }: Callbacks): boolean {
  return requestOCSP ?? Boolean(onStatus);
}
