import { X509Certificate } from 'node:crypto';
import type { NativeContext } from '../../types/binding.d.ts';
import { invalidArgType, invalidThis } from '../base/coded-error.ts';
import { validateObject } from '../base/validate.ts';
import { assertOneWayToProtocol, type CallbackOptions, givenCallbacks } from '../callbacks/options.ts';
import { assertPskCanWait } from '../callbacks/psk.ts';
import type { CallbackRequest } from '../callbacks/request.ts';
import type { VerifyOptions } from '../callbacks/verify-mode.ts';
import { binding } from '../native/load-binding.ts';
import { idContext, type Trusted, trustDigest } from '../session/policy.ts';
import type { AlpnProtocols } from './alpn.ts';
import { type CredentialOptions, lockedCredentials } from './credentials.ts';
import { assertMethodCarries } from './methods.ts';
import { type ContextPolicy, contextPolicy, nativeContextOptions, type OwnContextOptions } from './options.ts';
import { askAhead, passphraseOption } from './passphrase.ts';
import { inheritable, type Names, namesOf, ownOptions } from './server-names.ts';
import { isRing, type TicketKeyRing } from './ticket-key-ring.ts';
import { nativeTicketKeys } from './ticket-keys.ts';
import { hasOlder, type TlsVersion } from './versions.ts';

let internals: (context: unknown, argument?: string) => ContextInternals;

/**
 * Chooses a context for a name that {@link SslContextOptions.serverNames} does not have, now or later; null or undefined: the
 * name is not known here.
 *
 * @param name - in lower case, without a dot at its end
 */
export type OnServerName = (
  name: string,
  request: CallbackRequest,
) => SslContext | null | undefined | PromiseLike<SslContext | null | undefined>;

/**
 * Options that node:tls has too have its names and meaning. Absent ones take the safe default: certificates are
 * verified, TLS 1.2 is the oldest version, clients may not renegotiate.
 */
export interface SslContextOptions extends OwnContextOptions, HandshakeCallbacks {
  /**
   * Servers: other contexts, by the name that a client sends (SNI): SSL_CTX_set_client_hello_cb(3), SSL_set_SSL_CTX(3).
   * `'a.example'`, or `'*.b.example'` for one label in front; an exact name goes first, and letters are equal in upper
   * and lower case. Options are those of this context, without its certificates, and with what is given here: `{ cert,
   * key }` has the same versions, ciphers and trust. A ready context has its own. Verification: a context, or options,
   * that say something about it have their own; otherwise it is what it would be without a name. A name is no secret and
   * no proof: a context that asks for less is there for every client.
   *
   * Who sends no name gets this context. Sessions are resumed under the name that they were made with; ticket keys and
   * the cache of sessions are those of this context. The name of a second ClientHello must be that of the first.
   */
  readonly serverNames?: Readonly<Record<string, SslContext | OwnContextOptions>> | undefined;
  /** Servers: asked about names that {@link serverNames} does not have. The handshake waits, within its timeout. */
  readonly onServerName?: OnServerName | undefined;
  /**
   * Servers: what a client gets that sends a name which nobody knows: `'default'`, this context, or `'reject'`, the alert
   * unrecognized_name (RFC 6066 section 3; `ERR_TLS_UNRECOGNIZED_NAME` here).
   */
  readonly unknownServerName?: 'default' | 'reject' | undefined;
}

/** What {@link SslContextOptions.onClientHello} may say of one connection; what it leaves out is as the context has it. */
export interface ClientHelloSettings extends CredentialOptions, VerifyOptions {
  /** Takes the place of the context, as one of {@link SslContextOptions.serverNames} does; then no name is looked up. */
  readonly context?: SslContext | undefined;
  readonly minVersion?: TlsVersion | undefined;
  readonly maxVersion?: TlsVersion | undefined;
  /** The connection resumes no session then, since that would bring its cipher along. */
  readonly ciphers?: string | undefined;
  readonly ecdhCurve?: string | undefined;
  readonly ALPNProtocols?: AlpnProtocols | undefined;
}

/** The functions that a handshake asks, but for verification and the context by name. */
export type HandshakeCallbacks = CallbackOptions<ClientHelloSettings, CredentialOptions>;

/** @internal */
export type ContextNames = Names<SslContext, OnServerName>;

/** @internal */
export interface ContextInternals {
  readonly native: NativeContext;
  readonly policy: ContextPolicy;
  /** What sessions remember of it. */
  readonly trusted: Trusted;
  readonly callbacks: HandshakeCallbacks;
  /** Undefined: it serves whatever name a client sends. */
  readonly names: ContextNames | undefined;
}

/**
 * Certificates, trust and policy for any number of connections, on either side: SSL_CTX.
 *
 * But for {@link ticketKeys} it cannot be changed: OpenSSL lets changes reach some connections and not others. It lives as
 * long as it, or a connection made with it, is in use.
 */
export class SslContext {
  readonly #internals: ContextInternals;
  /** Undefined: the ticket keys are fixed. */
  #ring: TicketKeyRing | undefined;

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
    const callbacks = givenCallbacks(options);
    assertPskCanWait(policy.method.side === 'server', callbacks.onPsk, hasOlder(policy.versions, policy.method));
    const nativeOptions = nativeContextOptions(options, policy);
    const digest = trustDigest(nativeOptions);
    const native = new binding.NativeContext({ ...nativeOptions, ...idContext(nativeOptions, digest, policy.verify) });
    const names: ContextNames | undefined = namesOf(options, (value, option) =>
      namedContext(value, inheritable(options), option),
    );
    if (names !== undefined) assertMethodCarries(policy.method, 'stream', 'the option serverNames');
    this.#ring = isRing(options.ticketKeys) ? options.ticketKeys : undefined;
    assertOneWayToProtocol(options);
    this.#internals = { native, policy, trusted: { digest, securityLevel: native.securityLevel }, callbacks, names };
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

  /**
   * What a server encrypts session tickets with: 80 bytes, a secret, or the ring that makes them. Setting it takes 48 bytes
   * too, as the option.
   *
   * It may be set at any time, from the next ticket on and on all threads. Tickets of former keys are not opened any more:
   * their clients make a full handshake and get new ones. Only a ring goes on with its own earlier ones. A connection uses the
   * keys of the context that it began with, whatever the client's server name chose.
   *
   * Instead of SSL_CTX_set_tlsext_ticket_keys(3), which must not be called while connections use the context:
   * SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
   *
   * @throws TypeError `ERR_INVALID_ARG_TYPE` or `ERR_INVALID_ARG_VALUE`: what it had stays
   */
  get ticketKeys(): Buffer | TicketKeyRing {
    const { native } = internals(this);
    return this.#ring ?? native.ticketKeys();
  }

  set ticketKeys(keys: Uint8Array | TicketKeyRing) {
    const { native } = internals(this);
    native.setTicketKeys(nativeTicketKeys(keys, 'ticketKeys'));
    this.#ring = isRing(keys) ? keys : undefined;
  }
}

/** @internal The native part and the policy of a context; throws for what is none. */
export function contextArgument(context: unknown, name: string): ContextInternals {
  return internals(context, name);
}

/** @internal A value of {@link SslContextOptions.serverNames}. */
export function namedContext(value: unknown, inherited: object, option: string): SslContext {
  return value instanceof SslContext ? value : new SslContext(ownOptions(value, inherited, option));
}

/** @internal Option secureContext: a ready context, or undefined. */
export function readyContext({ secureContext }: { readonly secureContext?: unknown }): SslContext | undefined {
  if (secureContext === undefined || secureContext === null) return undefined;
  if (secureContext instanceof SslContext) return secureContext;
  throw invalidArgType('options.secureContext', 'an SslContext', secureContext);
}
