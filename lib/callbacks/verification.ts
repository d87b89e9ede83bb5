// What verification shows to a function of the application's, and what that may answer.
import type { X509Certificate } from 'node:crypto';
import type { VerifyResult } from '../errors/errors.ts';
import type { CallbackRequest } from './request.ts';

/** What OpenSSL found about one certificate: what X509_STORE_CTX_get_current_cert(3) and its like give to a callback. */
export interface VerifyFinding {
  /** Made when it is first looked at, as are those of {@link VerifyRequest.chain}: that takes a while. */
  readonly certificate: X509Certificate;
  /** 0 is the peer's own certificate, 1 its issuer. X509_STORE_CTX_get_error_depth(3). */
  readonly depth: number;
  /** X509_STORE_CTX_get_error(3); null: nothing is wrong. */
  readonly error: VerifyResult | null;
}

/** All that OpenSSL found, before anything was decided. */
export interface VerifyRequest extends CallbackRequest {
  /** What OpenSSL would decide by itself; or `OK`: of several errors the last, but a wrong name only if it is alone. */
  readonly verifyResult: VerifyResult;
  /** The chain as OpenSSL built it, leaf first; without its end if that was not found. X509_STORE_CTX_get0_chain(3). */
  readonly chain: readonly X509Certificate[];
  /** Each error, and each certificate without one, in the order in which OpenSSL met them. */
  readonly certificates: readonly VerifyFinding[];
}

/**
 * True accepts, whatever OpenSSL found, and `verifyResult` is `OK` then. False refuses for what OpenSSL would
 * tell, or, where it found none, for `'APPLICATION_VERIFICATION'`. A name of X509_V_ERR_... refuses for that reason,
 * which decides the alert that the peer gets: `'CERT_REVOKED'` certificate_revoked, `'CERT_HAS_EXPIRED'`
 * certificate_expired, `'CERT_UNTRUSTED'` bad_certificate, `'INVALID_CA'` unknown_ca, `'APPLICATION_VERIFICATION'`
 * handshake_failure. `'OK'` is true.
 */
export type VerifyAnswer = boolean | string;

/** Decides once, with everything at hand. */
export type Verify = (request: VerifyRequest) => VerifyAnswer | PromiseLike<VerifyAnswer>;

/**
 * Decides for each finding, as OpenSSL's own verify_callback (SSL_CTX_set_verify(3)): `ok` says whether nothing is
 * wrong; true goes on to the next, anything else refuses at once. If all are true the peer is accepted.
 */
export type VerifyCallback = (
  ok: boolean,
  finding: VerifyFinding & CallbackRequest,
) => VerifyAnswer | PromiseLike<VerifyAnswer>;

/**
 * Who decides about the peer's certificate instead of OpenSSL. The handshake waits for the answer: on a client before its
 * own certificate is sent (SSL_set_retry_verify(3), OpenSSL 3.0), on a server by an ASYNC job
 * (ASYNC_start_job(3)). A resumed handshake asks nobody.
 *
 * Beside `verifyMode: 'NONE'` (SSL_VERIFY_NONE) a client calls the function, and the handshake waits for it, but no answer
 * refuses the server: the answer is `ssl.verifyResult`. A server asks for no certificate then, so nobody is called.
 */
export interface VerifierOptions {
  /** Called once for each handshake in which the peer sends a certificate. Null: nobody, whatever the context says. */
  readonly verify?: Verify | null | undefined;
  /** The same, called for each finding. */
  readonly verifyCallback?: VerifyCallback | null | undefined;
  /**
   * What the function decides, in a name of 1 to 255 bytes: a session is resumed only where the same function decides, and
   * functions are the same if they are one object, or have the same `verifyId`, also in another process. Change it
   * whenever the function, or a value that it depends on, changes.
   */
  readonly verifyId?: string | undefined;
}
