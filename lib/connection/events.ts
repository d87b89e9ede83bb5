import type { TlsAlert } from '../errors/errors.ts';
import type { SslSession } from '../session/session.ts';

/** New sending keys (TLS 1.3). */
export interface KeyUpdateEvent {
  /** Whose sending keys are new: ours, or the peer's. */
  readonly from: 'self' | 'peer';
  /** Whether the side that updated asks the other to do so too. */
  readonly requested: boolean;
}

/** A completed renegotiation (TLS 1.2). */
export interface RenegotiateEvent {
  /** Who began. */
  readonly from: 'self' | 'peer';
  /** Whether it was abbreviated. */
  readonly resumed: boolean;
}

/** A protocol message as it crosses: SSL_CTX_set_msg_callback(3). */
export interface MessageEvent {
  readonly direction: 'sent' | 'received';
  /** 0x0303 and so on, or 0 for what belongs to no version, such as record headers. */
  readonly version: number;
  /** 20 ChangeCipherSpec, 21 alert, 22 handshake, 256 record header, 257 inner content type. */
  readonly contentType: number;
  readonly data: Buffer;
}

/** A step of the state machine: SSL_CTX_set_info_callback(3). */
export interface InfoEvent {
  /** SSL_CB_... of `<openssl/ssl.h>`, ored together. */
  readonly where: number;
  readonly ret: number;
  /** SSL_state_string_long(3). */
  readonly state: string;
}

/** Events of an {@link Ssl} and what their listeners get. */
export interface SslEvents {
  keyUpdate: [event: KeyUpdateEvent];
  renegotiate: [event: RenegotiateEvent];
  /** A session that a later connection may resume; with TLS 1.3 several may come, after the handshake. */
  session: [session: SslSession];
  /** A line of the NSS key log format with its newline, as in node:tls. It holds secrets. */
  keylog: [line: Buffer];
  message: [event: MessageEvent];
  info: [event: InfoEvent];
  alert: [alert: TlsAlert];
  /** Once. `null` if it was closed by us, on purpose. */
  close: [error: Error | null];
}

/**
 * Listeners given as an option, so that they hear the handshake too. Each is added with `on`; it is called with the
 * `Ssl` as `this`.
 */
export type SslListeners = { readonly [K in keyof SslEvents]?: ((...args: SslEvents[K]) => void) | undefined };
