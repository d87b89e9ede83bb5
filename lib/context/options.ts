// From the options that users know to what native code takes.
import type { NativeContextOptions } from '../../types/binding.d.ts';
import { invalidArgType, invalidArgValue, tlsError } from '../base/coded-error.ts';
import { type KeylogFile, keylogFile, keylogOfProcess } from '../base/keylog-file.ts';
import {
  asBytes,
  optionalBoolean,
  optionalInteger,
  optionalString,
  validateInteger,
  validateObject,
  validateText,
} from '../base/validate.ts';
import type { VerifierOptions } from '../callbacks/verification.ts';
import {
  assertCanWait,
  type VerifyModeName,
  type VerifyPolicy,
  verifyMode,
  verifyPolicy,
} from '../callbacks/verify-mode.ts';
import { type AlpnProtocols, alpnWire } from './alpn.ts';
import { splitCiphers } from './ciphers.ts';
import { type CredentialOptions, defined, nativeCredentials, type PemOrDer } from './credentials.ts';
import { assertMethodCarries, type Method, methodOf, type TlsMethod } from './methods.ts';
import { speaksOfVerification } from './server-names.ts';
import type { TicketKeyRing } from './ticket-key-ring.ts';
import { optionalTicketKeys } from './ticket-keys.ts';
import { nativeTrust, type TrustOptions } from './trust.ts';
import { refuseSecureProtocol, type TlsVersion, type VersionRange, versionRange } from './versions.ts';

/** How often a client may start a renegotiation. */
export interface ClientRenegotiation {
  /** How many in one window; default 3. One more closes the connection. */
  readonly limit?: number | undefined;
  /** Seconds; default 600. */
  readonly window?: number | undefined;
}

/** What a context is by itself: the options of an SslContext without those that name other contexts. */
export interface OwnContextOptions extends CredentialOptions, TrustOptions, VerifierOptions {
  /**
   * OpenSSL's names, divided by colons; those that begin with `TLS_` are for TLS 1.3. A list without any of them leaves
   * TLS 1.3 out, unless `minVersion` insists on it, and a list of nothing else leaves all older versions out. (Of the
   * two, node:tls 20 does the second alone.) SSL_CTX_set_cipher_list(3), SSL_CTX_set_ciphersuites(3).
   */
  readonly ciphers?: string | undefined;
  /** SSL_CTX_set1_sigalgs_list(3). */
  readonly sigalgs?: string | undefined;
  /**
   * Signature algorithms for client certificates alone, default `sigalgs`: those that a server asks for and accepts, and those
   * that a client signs with. SSL_CTX_set1_client_sigalgs_list(3).
   */
  readonly clientSigalgs?: string | undefined;
  /** Groups for key exchange, by preference, or `'auto'`: SSL_CTX_set1_groups_list(3). */
  readonly ecdhCurve?: string | undefined;
  /** Diffie-Hellman parameters in PEM, or `'auto'`: SSL_CTX_set_dh_auto(3). */
  readonly dhparam?: PemOrDer | undefined;
  /**
   * OpenSSL's SSL_METHOD, by its name without `_method`; default `'TLS'`: both sides, the version negotiated between
   * minVersion and maxVersion. `'TLS_server'` and `'TLS_client'` serve one side alone. `'TLSv1_2'` and the like speak
   * one version. `'SSLv23'` is the old name of `'TLS'`. `'DTLS'`, `'DTLSv1_2'` and `'DTLSv1'`, with the same suffixes, are
   * for datagrams: see {@link connectDtls} and {@link createDtlsServer}. SSL_CTX_new(3), TLS_method(3), DTLS_method(3).
   */
  readonly method?: TlsMethod | undefined;
  /** The oldest version; default `'TLSv1.2'`, or `'DTLSv1.2'`. SSL_CTX_set_min_proto_version(3). */
  readonly minVersion?: TlsVersion | undefined;
  /** The newest version; default: the newest that OpenSSL has. SSL_CTX_set_max_proto_version(3). */
  readonly maxVersion?: TlsVersion | undefined;
  /** Application protocols by preference: SSL_CTX_set_alpn_protos(3), SSL_CTX_set_alpn_select_cb(3). */
  readonly ALPNProtocols?: AlpnProtocols | undefined;
  /**
   * Sessions are resumed only where it is the same; 1 to 32 bytes. Default: a digest of whom the context trusts and how it
   * verifies, so that processes of one policy have it in common. One of your own keeps no policies apart but those of
   * different functions `verify`.
   * SSL_CTX_set_session_id_context(3).
   */
  readonly sessionIdContext?: string | Uint8Array | undefined;
  /** Seconds for which a session may be resumed: SSL_CTX_set_timeout(3). */
  readonly sessionTimeout?: number | undefined;
  /** 80 bytes, or 48 as in node:tls, or a ring; default: random ones. See {@link SslContext.ticketKeys}. */
  readonly ticketKeys?: Uint8Array | TicketKeyRing | undefined;
  /** TLS 1.3 tickets that a server sends: SSL_CTX_set_num_tickets(3). */
  readonly ticketCount?: number | undefined;
  /** SSL_OP_... of `crypto.constants`, on top of the defaults: SSL_CTX_set_options(3). */
  readonly secureOptions?: number | undefined;
  /** The server's order of ciphers counts, not the client's; default true. SSL_OP_CIPHER_SERVER_PREFERENCE. */
  readonly honorCipherOrder?: boolean | undefined;
  /** A server asks for a client certificate; default false. SSL_VERIFY_PEER. */
  readonly requestCert?: boolean | undefined;
  /**
   * Whether a handshake fails if the peer's certificate does not verify, and, on a server that requests one, if there
   * is none; default true. With false the outcome is still told by `verifyResult`. SSL_CTX_set_verify(3).
   */
  readonly rejectUnauthorized?: boolean | undefined;
  /**
   * The same in OpenSSL's words, instead of requestCert and rejectUnauthorized: SSL_CTX_set_verify(3). `'NONE'`, or
   * `'PEER'` (a client verifies the server; a server asks for a certificate, and refuses one that does not verify)
   * and, for servers, any of `'FAIL_IF_NO_PEER_CERT'`, `'CLIENT_ONCE'` (not again when renegotiating, after
   * which there is no peerCertificate any more) and `'POST_HANDSHAKE'` (TLS 1.3: not before requestClientCertificate();
   * OpenSSL 1.1.1).
   */
  readonly verifyMode?: VerifyModeName | readonly VerifyModeName[] | undefined;
  /** Certificates between leaf and root: 1 allows leaf, intermediate, root. SSL_CTX_set_verify_depth(3). */
  readonly verifyDepth?: number | undefined;
  /** SSL_CTX_set_security_level(3); default: what the system's configuration says. */
  readonly securityLevel?: number | undefined;
  /**
   * Whether a server lets clients renegotiate (TLS 1.2); default false. True stands for 3 in 600 seconds on each
   * connection. SSL_OP_ALLOW_CLIENT_RENEGOTIATION, OpenSSL 3.0.
   */
  readonly clientRenegotiation?: boolean | ClientRenegotiation | undefined;
  /**
   * Connections end without close_notify, sent or awaited: SSL_CTX_set_quiet_shutdown(3). Default false. See
   * {@link Ssl.quietShutdown}.
   */
  readonly quietShutdown?: boolean | undefined;
  /**
   * A file to which the secrets of all connections are appended, in the NSS key log format (RFC 9850); true: the one that the
   * environment variable SSLKEYLOGFILE names, if it is set, which is ignored otherwise. Whoever reads it can read and forge
   * the connections: for debugging alone. node's flag `--tls-keylog` does the same for the whole process.
   * SSL_CTX_set_keylog_callback(3).
   */
  readonly keylogFile?: string | true | undefined;
  /**
   * Clear bytes that a record may have, from 512 to 16384, the default: SSL_CTX_set_max_send_fragment(3). Handshakes are
   * divided likewise. A client that negotiates max_fragment_length (RFC 6066) gets no more than it asked for. Less than the
   * default keeps the kernel from encrypting (`ktls`). TLS alone. See {@link Ssl.setMaxSendFragment}.
   */
  readonly maxSendFragment?: number | undefined;
  /** KeyUpdates that a peer may send in a row without data before the connection is closed. */
  readonly keyUpdateLimit?: number | undefined;
}

/** What the connections of a context need to know of its options. */
export interface ContextPolicy {
  readonly verify: VerifyPolicy;
  readonly method: Method;
  readonly versions: VersionRange;
  /** Absent: a client may not start one. */
  readonly renegotiation: { readonly limit: number /** Milliseconds. */; readonly window: number } | undefined;
  readonly keyUpdateLimit: number | undefined;
  /** It names groups of its own. */
  readonly namesGroups: boolean;
  /** Its options say something about verification. */
  readonly speaks: boolean;
  readonly keylog: KeylogFile | null;
}

const maxInt32 = 2 ** 31 - 1;
const sessionIdContextLength = 32;
/** Of SSL_set_max_send_fragment(3). */
export const sendFragment = { min: 512, max: 16384 } as const;

const defaultRenegotiation = { limit: 3, window: 600 };

function renegotiationPolicy(value: OwnContextOptions['clientRenegotiation']): ContextPolicy['renegotiation'] {
  if (value === undefined || value === null || value === false) return undefined;
  if (value !== true && (typeof value !== 'object' || Array.isArray(value))) {
    throw invalidArgType('options.clientRenegotiation', 'a boolean or an object { limit, window }', value);
  }
  const { limit, window } = { ...defaultRenegotiation, ...(value === true ? {} : value) };
  validateInteger(limit, 'options.clientRenegotiation.limit', 1, maxInt32);
  validateInteger(window, 'options.clientRenegotiation.window', 1, Math.floor(maxInt32 / 1000));
  return { limit, window: window * 1000 };
}

export function contextPolicy(options: OwnContextOptions): ContextPolicy {
  validateObject(options, 'options');
  const verify = verifyPolicy(options);
  const method = methodOf(options.method);
  assertCanWait(method.side === 'server', verify);
  const { versions } = splitCiphers(options.ciphers, versionRange(options, method));
  return {
    verify,
    method,
    versions,
    renegotiation: renegotiationPolicy(options.clientRenegotiation),
    keyUpdateLimit: optionalInteger(options.keyUpdateLimit, 'options.keyUpdateLimit', 1, maxInt32),
    namesGroups: groups(options.ecdhCurve, 'options.ecdhCurve') !== undefined,
    speaks: speaksOfVerification(options),
    keylog: keylog(options.keylogFile),
  };
}

function keylog(value: unknown): KeylogFile | null {
  if (value === undefined || value === null || value === false) return keylogOfProcess();
  const path = value === true ? process.env['SSLKEYLOGFILE'] : optionalString(value, 'options.keylogFile');
  if (path === '' && value !== true) throw invalidArgValue('options.keylogFile', 'must not be empty', path);
  return path ? keylogFile(path) : keylogOfProcess();
}

/** node:tls takes a name here, or 'auto' for the library's own list. */
export function groups(value: unknown, name: string): string | undefined {
  const text = optionalString(value, name);
  return text === undefined || text === 'auto' ? undefined : validateText(text, name);
}

function dhparam(value: unknown): Uint8Array | 'auto' | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  return value === 'auto' ? 'auto' : asBytes(value, 'options.dhparam');
}

function text(value: unknown, name: string): string | undefined {
  const given = optionalString(value, name);
  if (given === '') throw invalidArgValue(name, 'must not be empty', given);
  return given === undefined ? undefined : validateText(given, name);
}

function secureOptions(value: unknown): number {
  return optionalInteger(value, 'options.secureOptions', 0, Number.MAX_SAFE_INTEGER) ?? 0;
}

function sessionIdContext(value: unknown): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  const bytes = asBytes(value, 'options.sessionIdContext');
  if (bytes.length === 0 || bytes.length > sessionIdContextLength) {
    throw invalidArgValue('options.sessionIdContext', `must have 1 to ${sessionIdContextLength} bytes`, value);
  }
  return bytes;
}

function refuseWhatIsMissing(options: OwnContextOptions & Record<string, unknown>): void {
  refuseSecureProtocol(options['secureProtocol']);
  for (const name of ['clientCertEngine', 'privateKeyEngine', 'privateKeyIdentifier']) {
    if (options[name] === undefined || options[name] === null) continue;
    throw tlsError(
      'ERR_TLS_OPTION_UNSUPPORTED',
      `"options.${name}" is not supported: OpenSSL replaced engines by providers`,
    );
  }
}

/** The option of a context or a connection. */
export const ticketCount = (value: unknown): number | undefined =>
  optionalInteger(value, 'options.ticketCount', 0, 255);

function maxSendFragment(value: unknown, method: Method): number | undefined {
  const size = optionalInteger(value, 'options.maxSendFragment', sendFragment.min, sendFragment.max);
  if (size !== undefined) assertMethodCarries(method, 'stream', 'the option maxSendFragment');
  return size;
}

export function nativeContextOptions(options: OwnContextOptions, policy: ContextPolicy): NativeContextOptions {
  refuseWhatIsMissing(options as OwnContextOptions & Record<string, unknown>);
  const trust = nativeTrust(options);
  if (trust.authorities !== undefined) assertMethodCarries(policy.method, 'stream', 'the option authorities');
  const { versions, ...ciphers } = splitCiphers(options.ciphers, policy.versions);
  return {
    ...(policy.method.side !== undefined && { side: policy.method.side }),
    ...(policy.method.dtls && { dtls: true }),
    minVersion: versions.min,
    maxVersion: versions.max,
    ...ciphers,
    ...nativeCredentials(options),
    ...trust,
    ...defined({
      sigalgs: text(options.sigalgs, 'options.sigalgs'),
      clientSigalgs: text(options.clientSigalgs, 'options.clientSigalgs'),
      groups: groups(options.ecdhCurve, 'options.ecdhCurve'),
      dhparam: dhparam(options.dhparam),
      alpn: alpnWire(options.ALPNProtocols),
      sessionIdContext: sessionIdContext(options.sessionIdContext),
      sessionTimeout: optionalInteger(options.sessionTimeout, 'options.sessionTimeout', 0, maxInt32),
      ticketKeys: optionalTicketKeys(options.ticketKeys, 'options.ticketKeys'),
      ticketCount: ticketCount(options.ticketCount),
      verifyDepth: optionalInteger(options.verifyDepth, 'options.verifyDepth', 0, 1000),
      maxSendFragment: maxSendFragment(options.maxSendFragment, policy.method),
      securityLevel: optionalInteger(options.securityLevel, 'options.securityLevel', 0, 5),
    }),
    // Each connection sets its own, by its side.
    verifyMode: verifyMode(false, policy.verify),
    verifyContinue: policy.verify.mode === undefined && policy.verify.requestCert && !policy.verify.rejectUnauthorized,
    secureOptions: secureOptions(options.secureOptions),
    honorCipherOrder: optionalBoolean(options.honorCipherOrder, 'options.honorCipherOrder', true),
    allowClientRenegotiation: policy.renegotiation !== undefined,
    quietShutdown: optionalBoolean(options.quietShutdown, 'options.quietShutdown', false),
  };
}
