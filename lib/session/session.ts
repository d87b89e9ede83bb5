import { X509Certificate } from 'node:crypto';
import type { NativeSession } from '../../types/binding.d.ts';
import { invalidArgType, invalidThis, tlsError } from '../base/coded-error.ts';
import { asBytes } from '../base/validate.ts';
import { makeVerifyResult, type VerifyResult } from '../errors/errors.ts';
import { binding } from '../native/load-binding.ts';
import { packSession, unpackSession } from './format.ts';
import type { SessionOrigin } from './policy.ts';

interface SessionInternals {
  readonly native: NativeSession;
  readonly origin: SessionOrigin;
}

let internals: (session: unknown, argument?: string) => SessionInternals;
let make: (content: SessionInternals) => SslSession;

/** Only this module can make sessions: everyone else gets them from a connection or from bytes. */
const key = Symbol('SslSession');

/**
 * What a later connection needs to resume this one: SSL_SESSION.
 *
 * It is a copy from the moment it was taken, so closing the connection does not spoil it. It remembers the host that
 * it was made with, whom its connection trusted, and whether that verified its peer. Resumption skips verification, so a
 * verifying connection refuses a session of another host or policy, or of a policy that is not known.
 */
export class SslSession {
  readonly #internals: SessionInternals;

  static {
    internals = (session, argument) => {
      if (typeof session === 'object' && session !== null && #internals in session) return session.#internals;
      throw argument === undefined
        ? invalidThis('SslSession')
        : invalidArgType(argument, 'an SslSession or a Buffer', session);
    };
    make = content => new SslSession(key, content);
  }

  /** @internal */
  private constructor(token: typeof key, content: SessionInternals) {
    if (token !== key) {
      throw invalidArgType('SslSession', 'taken from a connection, or made by SslSession.from(bytes)', undefined);
    }
    this.#internals = content;
  }

  /**
   * Reads what {@link serialize} wrote, or plain DER as node:tls's getSession() gives it: d2i_SSL_SESSION(3). DER alone
   * does not say for which host and under which policy the session was made, so only connections with
   * `rejectUnauthorized: false` take it.
   *
   * Damage to what serialize() wrote is found by a checksum; that keeps nobody from changing it who can write to the store.
   *
   * @throws Error `ERR_TLS_INVALID_SESSION` for anything else
   */
  static from(bytes: NodeJS.ArrayBufferView | ArrayBuffer): SslSession {
    if (typeof bytes === 'string') throw invalidArgType('bytes', 'a Buffer, a TypedArray or an ArrayBuffer', bytes);
    const { origin, der } = unpackSession(asBytes(bytes, 'bytes'));
    return make({ native: parse(der), origin });
  }

  /**
   * Everything as bytes, for storage. They hold secrets: who has them can decrypt what is sent with the session.
   * i2d_SSL_SESSION(3) in a small envelope.
   */
  serialize(): Buffer {
    const { native, origin } = internals(this);
    return packSession({ origin, der: native.serialize() });
  }

  /** The host that the session was made with, or null if unknown. */
  get host(): string | null {
    return internals(this).origin.host;
  }

  /** SSL_SESSION_get_id(3). */
  get id(): Buffer {
    return internals(this).native.id;
  }

  /** `'TLSv1.3'`, `'TLSv1.2'`, ...: SSL_SESSION_get_protocol_version(3). */
  get version(): string {
    return internals(this).native.version;
  }

  /** SSL_SESSION_get0_cipher(3). */
  get cipher(): string {
    return internals(this).native.cipher;
  }

  /** When it was made: SSL_SESSION_get_time(3). */
  get time(): Date {
    return new Date(internals(this).native.time * 1000);
  }

  /** Seconds from {@link time} on for which it may be resumed: SSL_SESSION_get_timeout(3). */
  get timeout(): number {
    return internals(this).native.timeout;
  }

  /** Seconds: SSL_SESSION_get_ticket_lifetime_hint(3). */
  get ticketLifetimeHint(): number {
    return internals(this).native.ticketLifetimeHint;
  }

  /** Whether it is a ticket: SSL_SESSION_has_ticket(3). */
  get hasTicket(): boolean {
    return internals(this).native.hasTicket;
  }

  /**
   * The ticket as the server sent it, or null: SSL_SESSION_get0_ticket(3). A client shows it in the clear, and without the
   * secrets of the session it resumes nothing: store what {@link serialize} gives. A server has none of its own sessions.
   */
  get ticket(): Buffer | null {
    return internals(this).native.ticket();
  }

  /**
   * What the server's application has put into it with {@link Ssl.setTicketAppData}, or null: SSL_SESSION_get0_ticket_appdata(3).
   * Only servers see it: a client has the ticket, which is encrypted.
   */
  get ticketAppData(): Buffer | null {
    return internals(this).native.ticketAppData();
  }

  /** SSL_SESSION_is_resumable(3). */
  get resumable(): boolean {
    return internals(this).native.resumable;
  }

  /** SSL_SESSION_get0_hostname(3). */
  get servername(): string | null {
    return internals(this).native.servername;
  }

  /** SSL_SESSION_get0_alpn_selected(3). */
  get alpnProtocol(): string | null {
    return internals(this).native.alpnProtocol;
  }

  /** Bytes of early data that the server allows: SSL_SESSION_get_max_early_data(3). */
  get maxEarlyData(): number {
    return internals(this).native.maxEarlyData;
  }

  /** What verification came to in the handshake that made it: SSL_SESSION_get0_peer(3) was, or was not, trusted. */
  get verifyResult(): VerifyResult {
    return makeVerifyResult(internals(this).native.verifyResult);
  }

  /** SSL_SESSION_get0_peer(3). */
  get peerCertificate(): X509Certificate | null {
    const der = internals(this).native.peerCertificate();
    return der === null ? null : new X509Certificate(der);
  }
}

/**
 * @internal Of an option: what was stored may be damaged, and a session is only a shortcut.
 *
 * @returns nothing for bytes that are no session
 */
export function storedSession(session: SslSession | NodeJS.ArrayBufferView | undefined): SslSession | undefined {
  if (!ArrayBuffer.isView(session)) return session;
  try {
    return SslSession.from(session);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_TLS_INVALID_SESSION') throw error;
    return undefined;
  }
}

function parse(der: Uint8Array): NativeSession {
  try {
    return binding.NativeSession.from(der);
  } catch (cause) {
    throw tlsError('ERR_TLS_INVALID_SESSION', 'the bytes are no session: neither serialized by this package nor DER', {
      cause,
    });
  }
}

/** @internal Content of a session; throws for what is none. */
export function sessionArgument(session: unknown, name: string): SessionInternals {
  return internals(session, name);
}

/** @internal */
export function makeSession(native: NativeSession, origin: SessionOrigin): SslSession {
  return make({ native, origin });
}
