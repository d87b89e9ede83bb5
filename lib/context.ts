import { X509Certificate } from 'node:crypto';
import type { NativeContext } from '../types/binding.d.ts';
import type { AlpnProtocols } from './internal/alpn.ts';
import { invalidArgType, invalidThis } from './internal/coded-error.ts';
import { type ContextPolicy, contextPolicy, nativeContextOptions } from './internal/context-options.ts';
import {
  type CertificateOption,
  type CredentialOptions,
  type FileOption,
  lockedCredentials,
  type PemOrDer,
} from './internal/credentials.ts';
import { binding } from './internal/load-binding.ts';
import type { TlsMethod } from './internal/methods.ts';
import { askAhead, passphraseOption } from './internal/passphrase.ts';
import { idContext, type Trusted, trustDigest } from './internal/session-policy.ts';
import { validateObject } from './internal/validate.ts';
import type { VerifyModeName } from './internal/verify-mode.ts';
import type { TlsVersion } from './internal/versions.ts';
import type { VerifierOptions } from './verification.ts';

/** How often a client may start a renegotiation. */
export interface ClientRenegotiation {
  /** How many in one window; default 3. One more closes the connection. */
  readonly limit?: number | undefined;
  /** Seconds; default 600. */
  readonly window?: number | undefined;
}

/**
 * Options that node:tls has too have its names and meaning. Absent ones take the safe default: certificates are
 * verified, TLS 1.2 is the oldest version, clients may not renegotiate.
 */
export interface SslContextOptions extends CredentialOptions, VerifierOptions {
  /** Certificates to trust, instead of the system's; a server also names them when it asks for a certificate. */
  readonly ca?: CertificateOption | undefined;
  /** A file of certificates to trust, read by OpenSSL: SSL_CTX_load_verify_locations(3). */
  readonly caFile?: string | undefined;
  /**
   * A folder of certificates to trust, under the names that {@link OpenSsl.rehash} gives: SSL_CTX_load_verify_locations(3).
   * OpenSSL looks there when it needs one; sessions remember what was there when the context was made, so a new context
   * after a change resumes none from before. It is read for that (5 ms for 150 files): share a context.
   */
  readonly caPath?: string | undefined;
  /** Trust what the system trusts: SSL_CTX_set_default_verify_paths(3). By default if no other trust is named. */
  readonly systemCa?: boolean | undefined;
  /** Revocation lists, PEM or DER; with any, every certificate of a chain is looked up, unless `crlCheck` says less. */
  readonly crl?: PemOrDer | readonly PemOrDer[] | undefined;
  /** The same from files. */
  readonly crlFile?: FileOption | undefined;
  /**
   * Whether the `'leaf'` alone or every certificate of the `'chain'` must not be on its issuer's list, which must be there:
   * in `crl`, in `crlFile`, in `caFile`, or in `caPath` under a hashed name. X509_V_FLAG_CRL_CHECK,
   * X509_V_FLAG_CRL_CHECK_ALL.
   */
  readonly crlCheck?: 'leaf' | 'chain' | undefined;
  /**
   * The certificates whose names a server sends when it asks for one, instead of those of `ca`; an empty array sends
   * none. Trust is another matter. SSL_CTX_set_client_CA_list(3).
   */
  readonly clientCa?: CertificateOption | undefined;
  /** The same from files: SSL_load_client_CA_file(3). */
  readonly clientCaFile?: FileOption | undefined;
  /**
   * OpenSSL's names, divided by colons; those that begin with `TLS_` are for TLS 1.3. A list without any of them leaves
   * TLS 1.3 out, unless `minVersion` insists on it, and a list of nothing else leaves all older versions out. (Of the
   * two, node:tls 20 does the second alone.) SSL_CTX_set_cipher_list(3), SSL_CTX_set_ciphersuites(3).
   */
  readonly ciphers?: string | undefined;
  /** SSL_CTX_set1_sigalgs_list(3). */
  readonly sigalgs?: string | undefined;
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
  /** 80 bytes, or 48 as in node:tls: SSL_CTX_set_tlsext_ticket_keys(3). */
  readonly ticketKeys?: Uint8Array | undefined;
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
  /** KeyUpdates that a peer may send in a row without data before the connection is closed. */
  readonly keyUpdateLimit?: number | undefined;
}

let internals: (context: unknown, argument?: string) => ContextInternals;

/** @internal */
export interface ContextInternals {
  readonly native: NativeContext;
  readonly policy: ContextPolicy;
  /** What sessions remember of it. */
  readonly trusted: Trusted;
}

/**
 * Certificates, trust and policy for any number of connections, on either side: SSL_CTX.
 *
 * It cannot be changed: OpenSSL lets changes reach some connections and not others. It lives as long as it, or a
 * connection made with it, is in use.
 */
export class SslContext {
  readonly #internals: ContextInternals;

  static {
    internals = (context, argument) => {
      if (typeof context === 'object' && context !== null && #internals in context) return context.#internals;
      throw argument === undefined ? invalidThis('SslContext') : invalidArgType(argument, 'an SslContext', context);
    };
  }

  /**
   * SSL_CTX_new(3) with the `method`.
   *
   * @throws OpenSslError for what OpenSSL refuses: PEM or DER that does not parse (`ERR_OSSL_...`), a key that
   * does not match its certificate (`ERR_OSSL_X509_KEY_VALUES_MISMATCH`), unknown ciphers (`ERR_SSL_NO_CIPHER_MATCH`)
   * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`, RangeError `ERR_OUT_OF_RANGE`
   * @throws Error `ERR_TLS_INVALID_PROTOCOL_VERSION` for versions that there are not, such as SSL 3.0;
   * `ERR_TLS_INVALID_PROTOCOL_METHOD` for such methods
   */
  constructor(options: SslContextOptions = {}) {
    const policy = contextPolicy(options);
    const nativeOptions = nativeContextOptions(options, policy);
    const digest = trustDigest(nativeOptions);
    const native = new binding.NativeContext({ ...nativeOptions, ...idContext(nativeOptions, digest, policy.verify) });
    this.#internals = { native, policy, trusted: { digest, securityLevel: native.securityLevel } };
  }

  /**
   * The same for a `passphrase` that gives promises: it is awaited for each input that is locked, one after the other.
   *
   * @throws Error `ERR_TLS_PASSPHRASE_CALLBACK` if that function throws or rejects, TypeError
   * `ERR_INVALID_RETURN_VALUE` if it gives no passphrase; else as the constructor
   */
  static async create(options: SslContextOptions = {}): Promise<SslContext> {
    validateObject(options, 'options');
    const callback = passphraseOption(options.passphrase);
    if (typeof callback !== 'function') return new SslContext(options);
    return new SslContext({ ...options, passphrase: await askAhead(lockedCredentials(options), callback) });
  }

  /** Names of the ciphers in use, by preference: SSL_CTX_get_ciphers(3). */
  get ciphers(): readonly string[] {
    return internals(this).native.ciphers;
  }

  /** The own certificate, or null: SSL_CTX_get0_certificate(3). */
  get certificate(): X509Certificate | null {
    const der = internals(this).native.certificate();
    return der === null ? null : new X509Certificate(der);
  }
}

/** @internal The native part and the policy of a context; throws for what is none. */
export function contextArgument(context: unknown, name: string): ContextInternals {
  return internals(context, name);
}

/** @internal Option secureContext: a ready context, or undefined. */
export function readyContext({ secureContext }: { readonly secureContext?: unknown }): SslContext | undefined {
  if (secureContext === undefined || secureContext === null) return undefined;
  if (secureContext instanceof SslContext) return secureContext;
  throw invalidArgType('options.secureContext', 'an SslContext', secureContext);
}
