import { X509Certificate } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { NativeCipher, NativeContext, NativeEphemeralKey, NativeIoPool } from '../../types/binding.d.ts';
import { invalidThis } from '../base/coded-error.ts';
import { asBytes, validateBoolean, validateInteger, validateString } from '../base/validate.ts';
import { listenersChanged, watchListeners } from '../base/watch-listeners.ts';
import { sslLibrary } from '../errors/codes.ts';
import { makeVerifyResult, toError, type VerifyResult } from '../errors/errors.ts';
import { Connection, type ConnectionParameters } from '../transport/native-connection.ts';
import type { SslEvents } from './events.ts';
import { checkLimits, waitFor } from './operations.ts';
import type { ShutdownState } from './options.ts';

/** A cipher in use: SSL_get_current_cipher(3). */
export type CipherInfo = NativeCipher;

/** A temporary key: its type, the curve of an `'ECDH'` key, and its size in bits. */
export type EphemeralKeyInfo = NativeEphemeralKey;

/** What the kernel does for a connection. */
export interface KtlsInfo {
  readonly send: boolean;
  readonly receive: boolean;
  /** For people: why it does not do both. */
  readonly reason?: string;
}

let connectionOf: (ssl: unknown) => Connection;

/** A certificate that was made of DER before: asking again gives the same object as long as the peer's is the same. */
interface Parsed {
  readonly der: Buffer;
  readonly certificate: X509Certificate;
}

const parse = (der: Buffer): Parsed => ({ der, certificate: new X509Certificate(der) });

interface ParsedChain {
  readonly parsed: readonly Parsed[];
  readonly certificates: readonly X509Certificate[];
}

/** One for all: most connections are never asked. */
const noChain: ParsedChain = { parsed: [], certificates: Object.freeze([]) };

/** `known`, if it is the same. */
function parseChain(ders: readonly Buffer[], known: ParsedChain): ParsedChain {
  const { parsed } = known;
  if (ders.length === parsed.length && ders.every((der, index) => parsed[index]?.der.equals(der))) return known;
  const fresh = ders.map(parse);
  return { parsed: fresh, certificates: Object.freeze(fresh.map(({ certificate }) => certificate)) };
}

const keyUpdateTypes = ['none', 'not-requested', 'requested'] as const;
const maxExport = 2 ** 16;
/** SSL_SENT_SHUTDOWN, SSL_RECEIVED_SHUTDOWN. */
export const shutdownFlags = { sent: 1, received: 2 } as const;
/** SSL_R_STILL_IN_INIT */
const stillInInit = 121;

/**
 * What a connection tells about itself. All but `closed` throw `ERR_TLS_CLOSED` once it is closed.
 *
 * None waits, wherever the connection lives. A thread publishes what a handshake has settled before it tells of that
 * handshake, and what changes all the time (`bufferedAmount`, `readableAmount`, `shutdownState`, `keyUpdateType`,
 * `renegotiatePending`, `state`) after each turn. Cost: a call into native code, below a microsecond; `peerCertificate`,
 * `peerCertificateChain`, `verifiedChain`, `certificate`, `clientCaList` and `peerCaList` encode what they give each time,
 * some microseconds.
 */
export abstract class SslState extends EventEmitter<SslEvents> {
  readonly #connection: Connection;
  #peer: Parsed | undefined;
  #own: Parsed | undefined;
  #chain = noChain;
  #verifiedChain = noChain;

  static {
    connectionOf = ssl => {
      if (typeof ssl !== 'object' || ssl === null || !(#connection in ssl)) throw invalidThis('Ssl');
      return ssl.#connection;
    };
    watchListeners(SslState.prototype, connectionOf);
  }

  /** @internal */
  constructor(context: NativeContext, parameters: ConnectionParameters, pool: NativeIoPool | undefined) {
    super();
    this.#connection = new Connection(context, parameters, pool);
  }

  /** @internal */
  abstract [listenersChanged](name: string | symbol, listening: boolean): void;

  /** Whether {@link Ssl.close} was called, by whomever. */
  get closed(): boolean {
    return connectionOf(this).closed;
  }

  /** `'client'` or `'server'`: SSL_is_server(3). */
  get side(): 'client' | 'server' {
    return connectionOf(this).server ? 'server' : 'client';
  }

  /** Whether a handshake was completed. */
  get established(): boolean {
    return open(this).established;
  }

  /** `'TLSv1.3'`, `'TLSv1.2'`, ...; `'unknown'` before the handshake. SSL_get_version(3). */
  get version(): string {
    return open(this).version;
  }

  /** SSL_get_current_cipher(3); null before the handshake. */
  get cipher(): CipherInfo | null {
    return open(this).cipher;
  }

  /** Group of the key exchange, `'x25519'`: SSL_get_negotiated_group(3), OpenSSL 3.0. */
  get group(): string | null {
    return open(this).group;
  }

  /**
   * The peer's key of the key exchange, `{ type: 'ECDH', name: 'X25519', size: 253 }`: SSL_get_peer_tmp_key(3). Null where
   * there was none (RSA key exchange, a session that TLS 1.2 has resumed), where OpenSSL gives none (a server, up to TLS 1.2),
   * and for a hybrid {@link group}, whose key has another form.
   */
  get ephemeralKey(): EphemeralKeyInfo | null {
    return open(this).ephemeralKey();
  }

  /** SSL_get0_alpn_selected(3). */
  get alpnProtocol(): string | null {
    return open(this).alpnProtocol;
  }

  /** SSL_get_servername(3). */
  get servername(): string | null {
    return open(this).servername;
  }

  /** SSL_session_reused(3). */
  get sessionReused(): boolean {
    return open(this).sessionReused;
  }

  /** Whether the handshake used a pre-shared key of the application's: then nobody has shown a certificate. */
  get psk(): boolean {
    return open(this).pskIdentity() !== null;
  }

  /** The name of that key; null: none was used. SSL_get_psk_identity(3), which does not know it with TLS 1.3. */
  get pskIdentity(): string | null {
    return open(this).pskIdentity()?.toString() ?? null;
  }

  /**
   * Whether the kernel encrypts what is sent and decrypts what is received: BIO_get_ktls_send(3), BIO_get_ktls_recv(3),
   * OpenSSL 3.0. Known after the handshake. Needs the option `ktls`.
   */
  get ktls(): KtlsInfo {
    const { send, receive, reason } = open(this).ktls() ?? { send: false, receive: false, reason: null };
    return reason === null ? { send, receive } : { send, receive, reason };
  }

  /**
   * SSL_get_verify_result(3). It is `OK` also if the peer sent no certificate: see {@link peerCertificate}.
   */
  get verifyResult(): VerifyResult {
    return makeVerifyResult(open(this).verifyResult);
  }

  /** SSL_get1_peer_certificate(3), OpenSSL 3.0; null if the peer sent none. */
  get peerCertificate(): X509Certificate | null {
    const der = open(this).peerCertificate();
    if (der === null) this.#peer = undefined;
    else if (this.#peer?.der.equals(der) !== true) this.#peer = parse(der);
    return this.#peer?.certificate ?? null;
  }

  /** Leaf first, as the peer sent it: SSL_get_peer_cert_chain(3). Empty if there is none. */
  get peerCertificateChain(): readonly X509Certificate[] {
    this.#chain = parseChain(open(this).peerCertificateChain(), this.#chain);
    return this.#chain.certificates;
  }

  /**
   * The chain by which the peer was verified, leaf first and, unlike {@link peerCertificateChain}, with the root:
   * SSL_get0_verified_chain(3). A function `verify` that accepts a peer has verified the chain as OpenSSL built it, which
   * may lack its end.
   *
   * Empty if the peer showed no certificate, if {@link verifyResult} is not `OK` (OpenSSL gives what it has built then), and
   * where the session was resumed, since nothing is verified then and a session does not keep the chain.
   */
  get verifiedChain(): readonly X509Certificate[] {
    this.#verifiedChain = parseChain(open(this).verifiedChain(), this.#verifiedChain);
    return this.#verifiedChain.certificates;
  }

  /**
   * Names of the authorities that a server asks for when it requests a certificate, as `X509Certificate.subject` shows
   * names: SSL_get_client_CA_list(3). On a client those that the server sent; empty if it sent none, or did not ask.
   */
  get clientCaList(): readonly string[] {
    return open(this).clientCaList();
  }

  /**
   * Names of the authorities that the peer has sent: SSL_get0_peer_CA_list(3). On a server those by which its client would
   * choose among the server's certificates (TLS 1.3, the option `authorities`), in the same form; on a client
   * {@link clientCaList}. Anybody can send anything there.
   */
  get peerCaList(): readonly string[] {
    return open(this).peerCaList();
  }

  /**
   * Signature algorithms that both sides have, for the own signature: SSL_get_shared_sigalgs(3). By the own preference, or,
   * with `honorCipherOrder: false`, the peer's. Named as by node:tls, `'RSA-PSS+SHA256'`, but for `'Ed25519'` and others
   * without a hash, which it calls `'Ed25519+UNDEF'`; several algorithms may have one name. Empty where there was
   * nothing to sign: on a client, unless the server has asked for a certificate, and where the session was resumed.
   */
  get sharedSigalgs(): readonly string[] {
    return open(this).sharedSigalgs();
  }

  /** The own certificate in use: SSL_get_certificate(3). */
  get certificate(): X509Certificate | null {
    const der = open(this).certificate();
    if (der === null) this.#own = undefined;
    else if (this.#own?.der.equals(der) !== true) this.#own = parse(der);
    return this.#own?.certificate ?? null;
  }

  /**
   * The OCSP response of the last handshake (RFC 6960), in DER: what a server has stapled to its certificate for a client
   * that asked for it (option requestOCSP). Null: there is none, also of a session that was resumed, and on a server.
   * SSL_get_tlsext_status_ocsp_resp(3).
   */
  get ocspResponse(): Buffer | null {
    return open(this).ocspResponse();
  }

  /**
   * The key update that is scheduled and was not performed yet: SSL_get_key_update_type(3), OpenSSL 1.1.1. It may also
   * be pending because the peer asked for it.
   */
  get keyUpdateType(): 'none' | 'not-requested' | 'requested' {
    return keyUpdateTypes[open(this).keyUpdateType + 1] ?? 'none';
  }

  /** Whether a renegotiation was scheduled that has not begun: SSL_renegotiate_pending(3). */
  get renegotiatePending(): boolean {
    return open(this).renegotiatePending;
  }

  /** Completed renegotiations. (SSL_total_renegotiations(3) counts those that began.) */
  get renegotiations(): number {
    return open(this).renegotiations;
  }

  /** Which close_notify has crossed, or counts as such by {@link Ssl.setShutdown}: SSL_get_shutdown(3). */
  get shutdownState(): ShutdownState {
    const state = open(this).shutdownState;
    return { sent: (state & shutdownFlags.sent) !== 0, received: (state & shutdownFlags.received) !== 0 };
  }

  /**
   * Whether a shutdown is silent: SSL_get_quiet_shutdown(3), SSL_set_quiet_shutdown(3). `shutdown()` then sends nothing
   * and waits for nothing: both directions count as closed, reads give null, and the session stays resumable. The peer
   * cannot tell it from a truncation, unless its protocol says where the data ends. Default: the context's.
   */
  get quietShutdown(): boolean {
    return open(this).quietShutdown;
  }

  set quietShutdown(on: boolean) {
    const native = open(this);
    validateBoolean(on, 'quietShutdown');
    native.setQuietShutdown(on);
  }

  /** Ciphertext that waits to be sent, in bytes. */
  get bufferedAmount(): number {
    return open(this).bufferedAmount;
  }

  /** Clear bytes that can be read without waiting: SSL_pending(3), and what was read ahead. */
  get readableAmount(): number {
    return open(this).readableAmount;
  }

  /** SSL_state_string_long(3). */
  get state(): string {
    return open(this).state;
  }

  /**
   * Key material bound to this connection (RFC 5705, RFC 8446 section 7.5): SSL_export_keying_material(3).
   *
   * A connection on an I/O thread gives a promise, since the thread computes it: `await` serves both.
   *
   * @param length - bytes
   * @param context - absent and empty differ in TLS 1.2
   * @throws (or rejects) OpenSslError `ERR_SSL_STILL_IN_INIT` before the handshake, and for what OpenSSL refuses
   */
  exportKeyingMaterial(
    length: number,
    label: string,
    context?: string | NodeJS.ArrayBufferView,
  ): Buffer | Promise<Buffer> {
    const connection = connectionOf(this);
    connection.assertOpen();
    validateInteger(length, 'length', 1, maxExport);
    validateString(label, 'label');
    const bytes = context === undefined ? null : asBytes(context, 'context');
    if (!connection.native.established) throw tooEarly(connection);
    const op = connection.nextOp();
    const material = connection.native.exportKeyingMaterial(op, length, label, bytes);
    if (material !== null) return material;
    return waitFor(connection, op, 'exportKeyingMaterial', checkLimits(undefined), result => result as Buffer);
  }

  /** Our Finished message of the last handshake: SSL_get_finished(3). */
  finished(): Buffer | null {
    return open(this).finished();
  }

  /** The peer's: SSL_get_peer_finished(3). */
  peerFinished(): Buffer | null {
    return open(this).peerFinished();
  }
}

/** OpenSSL fails here without a reason. */
function tooEarly({ description }: Connection): Error {
  const [libraryCode, reasonCode] = [sslLibrary, stillInInit];
  const entry = { libraryCode, reasonCode, library: 'SSL routines', reason: 'still in init', function: '', data: '' };
  const message = 'There is no keying material before the handshake is complete';
  return toError({ message, errors: [entry], verifyResult: 0 }, description);
}

/** The native connection of an `Ssl` that is not closed. */
function open(ssl: SslState): Connection['native'] {
  const connection = connectionOf(ssl);
  connection.assertOpen();
  return connection.native;
}

/** @internal The connection under an `Ssl`; throws for what is none. */
export { connectionOf };
