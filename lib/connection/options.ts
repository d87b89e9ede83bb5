// What the methods of an Ssl take and give.

import type { VerifierOptions } from '../callbacks/verification.ts';
import type { VerifyModeName } from '../callbacks/verify-mode.ts';
import type { AlpnProtocols } from '../context/alpn.ts';
import type { HandshakeCallbacks } from '../context/context.ts';
import type { CredentialOptions } from '../context/credentials.ts';
import type { SslSession } from '../session/session.ts';
import type { SslListeners } from './events.ts';
import type { IoOption } from './io-pool.ts';
import type { OperationOptions } from './operations.ts';

export type { OperationOptions };

/**
 * How a connection differs from others of its context. Certificates and keys of its own replace those of the context:
 * SSL_use_certificate(3), SSL_use_PrivateKey(3).
 */
export interface SslOptions extends CredentialOptions, VerifierOptions, HandshakeCallbacks {
  readonly side: 'client' | 'server';
  /**
   * Name that a client sends: SSL_set_tlsext_host_name(3). Beyond ASCII it is mapped by `url.domainToASCII()`, and a dot
   * at its end is left out.
   */
  readonly servername?: string | undefined;
  /**
   * Name or IP address that the server's certificate must carry, default `servername`: SSL_set1_host(3), or
   * X509_VERIFY_PARAM_set1_ip_asc(3), which compares with iPAddress names alone. With neither, or with false, only the
   * chain is checked.
   */
  readonly host?: string | false | undefined;
  /** Instead of the context's. */
  readonly rejectUnauthorized?: boolean | undefined;
  /** Instead of the context's. */
  readonly requestCert?: boolean | undefined;
  /** Instead of the context's, and of rejectUnauthorized and requestCert: SSL_set_verify(3). */
  readonly verifyMode?: VerifyModeName | readonly VerifyModeName[] | undefined;
  /** The connection lives on a thread of this pool (true: of {@link IoPool.shared}), and talks through a socket only; default: on the loop. */
  readonly io?: IoOption;
  /** Instead of the context's: SSL_set_verify_depth(3). */
  readonly verifyDepth?: number | undefined;
  /** Instead of the context's: SSL_set_alpn_protos(3), or a server's own list. */
  readonly ALPNProtocols?: AlpnProtocols | undefined;
  /** Instead of the context's: TLS 1.3 tickets that a server sends, SSL_set_num_tickets(3). */
  readonly ticketCount?: number | undefined;
  /** To resume: SSL_set_session(3). */
  readonly session?: SslSession | NodeJS.ArrayBufferView | undefined;
  /**
   * Let the kernel encrypt and decrypt, where it can (SSL_OP_ENABLE_KTLS); default false. Worth it for
   * {@link Ssl.sendFile}. Where it cannot, the connection works as without, and {@link SslState.ktls} says why. With it,
   * keys cannot be replaced: no key update, no renegotiation (`ERR_TLS_KTLS`).
   */
  readonly ktls?: boolean | undefined;
  /**
   * Records that fit into one TCP segment (1,300 bytes) for the first 64 KiB and after a second without writing, then of
   * three segments for as much again, then of 16 KiB; default false: 16 KiB from the beginning. The peer can use the
   * first bytes sooner, for about 3 % more work while records are small. No effect where the kernel makes the records
   * (`ktls`). With `maxSendFragment` the smaller size holds.
   */
  readonly dynamicRecordSizing?: boolean | undefined;
  /**
   * DTLS: bytes that a datagram may have, without the headers of IP and UDP, from 228 to 65507; default: what the
   * transport says, at most 1472. Handshakes are divided accordingly, and messages that do not fit are refused
   * (`ERR_SSL_DTLS_MESSAGE_TOO_BIG`). SSL_set_mtu(3), SSL_OP_NO_QUERY_MTU.
   */
  readonly mtu?: number | undefined;
  /** Listeners that hear the handshake too. */
  readonly on?: SslListeners | undefined;
  /** Ciphertext bytes waiting to be sent from which writes wait; default: the engine's. */
  readonly outgoingMark?: number | undefined;
  /** Clear bytes kept while an operation waits for the peer and nobody reads; default: the engine's. */
  readonly readAhead?: number | undefined;
}

export interface ReadOptions extends OperationOptions {
  /** At most so many bytes; default 65536. */
  readonly max?: number | undefined;
}

/** Which part of a file to send. */
export interface SendFileOptions extends OperationOptions {
  /** Where to begin, in bytes; default 0. The position of the descriptor is neither used nor changed. */
  readonly offset?: number | undefined;
  /** How many bytes; default: to the end of the file, wherever that is when it is reached. */
  readonly length?: number | undefined;
}

export interface KeyUpdateOptions extends OperationOptions {
  /** Ask the peer to update its sending keys too; default false. */
  readonly requestPeer?: boolean | undefined;
}

/** An object, since a promise inside a promise would be awaited with it. */
export interface KeyUpdateResult {
  /**
   * Resolves when the peer's own KeyUpdate arrived; absent if it was not asked. The peer answers with its next write,
   * which may never come: `timeout` and `signal` of the call bound this wait too, and the connection lives on. A
   * rejection that nobody looks at does no harm.
   */
  readonly peerUpdated: Promise<void> | undefined;
}

export interface RenegotiateOptions extends OperationOptions {
  /** A client tries to resume the current session; default false. A server's request is the same either way. */
  readonly abbreviated?: boolean | undefined;
}

export interface RequestClientCertificateOptions extends OperationOptions {
  /** Whether the connection fails if the client has no certificate; default true. */
  readonly required?: boolean | undefined;
}

export interface ShutdownOptions extends OperationOptions {
  /**
   * Wait for the peer's close_notify too; default false. What it sends before that is kept for the reader: if it is more
   * than `readAhead`, it must be read, or the wait goes on.
   */
  readonly wait?: boolean | undefined;
}

/** Which close_notify has crossed: SSL_get_shutdown(3). */
export interface ShutdownState {
  /** Ours: SSL_SENT_SHUTDOWN. */
  readonly sent: boolean;
  /** The peer's: SSL_RECEIVED_SHUTDOWN. */
  readonly received: boolean;
}

export interface SetFdOptions {
  /**
   * Whether the connection owns the descriptor and closes it. Otherwise (default) it works on a duplicate, so that
   * closing `fd` elsewhere does no harm.
   */
  readonly close?: boolean | undefined;
}
