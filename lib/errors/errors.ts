import { getSystemErrorName } from 'node:util';
import type { NativeErrorEntry, NativeFailure } from '../../types/binding.d.ts';
import { tlsError } from '../base/coded-error.ts';
import { binding } from '../native/load-binding.ts';
import { adviceFor } from './advice.ts';
import { alertLevel, alertName } from './alerts.ts';
import { alertOfEntry, codeOfEntry, isCommonReason, pointsElsewhere, sslLibrary, verifyResultName } from './codes.ts';

/** One entry of OpenSSL's error queue: ERR_get_error_all(3). */
export interface OpenSslErrorEntry {
  /** Derived from library and reason number, so it is the same in all versions of OpenSSL. */
  readonly code: string;
  /** `'SSL routines'`, ... as OpenSSL names it. */
  readonly library: string;
  /** OpenSSL's text, which differs between its versions. */
  readonly reason: string;
  /** The C function that failed; empty where the library was built without. */
  readonly function: string;
  /** Details that came with the entry, often empty. */
  readonly data: string;
}

/** A TLS alert: RFC 8446 section 6. */
export interface TlsAlert {
  readonly level: 'warning' | 'fatal';
  readonly description: number;
  /** `'handshake_failure'`, `'close_notify'`, ... as the RFC spells it. */
  readonly name: string;
  readonly direction: 'sent' | 'received';
}

/** What verification of the peer's certificate came to: SSL_get_verify_result(3). */
export interface VerifyResult {
  /** X509_V_...; 0 is X509_V_OK. */
  readonly code: number;
  /** `'OK'`, `'CERT_HAS_EXPIRED'`, ... as in node:tls. */
  readonly name: string;
  /** X509_verify_cert_error_string(3). */
  readonly message: string;
}

interface Details {
  readonly code: string;
  readonly number: number;
  readonly errors: readonly OpenSslErrorEntry[];
  readonly main: OpenSslErrorEntry | undefined;
  readonly alert: TlsAlert | undefined;
  readonly verifyResult: VerifyResult | undefined;
}

let numberOf: (error: OpenSslError) => number;

/** Of one entry, as ERR_get_error(3) gives it: ERR_PACK of <openssl/err.h>, which knows no function any more. */
const packed = ({ libraryCode, reasonCode }: NativeErrorEntry): number =>
  (libraryCode & 0xff) * 2 ** 23 + (reasonCode & 0x7fffff);

/**
 * A failure that OpenSSL reported.
 *
 * `code` is in node:tls's style: `ERR_SSL_...` for libssl, `ERR_OSSL_...` for libcrypto, the name of the verification
 * result (`CERT_HAS_EXPIRED`) if the peer's certificate was refused, `ERR_TLS_CERT_ALTNAME_INVALID` if it is for
 * another name.
 */
export class OpenSslError extends Error {
  readonly code: string;
  /** `'SSL routines'`, ... */
  readonly library: string;
  /** OpenSSL's own text for the main reason. */
  readonly reason: string;
  /** The C function that failed. */
  readonly function: string;
  /** The alert that was sent or received with the failure, if any. */
  readonly alert: TlsAlert | undefined;
  /** The whole error queue, root cause first. */
  readonly errors: readonly OpenSslErrorEntry[];
  /** Set if verification of the peer is what failed. */
  readonly verifyResult: VerifyResult | undefined;
  readonly #number: number;

  /** @internal */
  constructor(message: string, details: Details) {
    if (typeof details !== 'object' || details === null) {
      throw tlsError(
        'ERR_ILLEGAL_CONSTRUCTOR',
        'an OpenSslError is made of what OpenSSL reported, by this package alone',
      );
    }
    super(message);
    this.code = details.code;
    this.library = details.main?.library ?? '';
    this.reason = details.main?.reason ?? '';
    this.function = details.main?.function ?? '';
    this.alert = details.alert;
    this.errors = details.errors;
    this.verifyResult = details.verifyResult;
    this.#number = details.number;
  }

  static {
    numberOf = error => error.#number;
    // As for built-in errors: on the prototype, out of the way of inspection.
    Object.defineProperty(OpenSslError.prototype, 'name', {
      value: 'OpenSslError',
      configurable: true,
      writable: true,
    });
  }
}

/** @internal ERR_get_error(3)'s number of what it tells by `reason`; 0: of nothing. */
export const errorNumber = (error: OpenSslError): number => numberOf(error);

/** @internal X509_V_ERR_HOSTNAME_MISMATCH, _EMAIL_MISMATCH, _IP_ADDRESS_MISMATCH: the one thing that node:tls checks by itself. */
export const nameMismatches: ReadonlySet<number> = new Set([62, 63, 64]);

export function makeVerifyResult(code: number): VerifyResult {
  return { code, name: verifyResultName(code), message: binding.verifyResultText(code) };
}

/** The code that node:tls gives to a verification result. */
export function codeOfVerifyResult(code: number): string {
  return nameMismatches.has(code) ? 'ERR_TLS_CERT_ALTNAME_INVALID' : verifyResultName(code);
}

const publicEntry = (entry: NativeErrorEntry): OpenSslErrorEntry => ({
  code: codeOfEntry(entry),
  library: entry.library,
  reason: entry.reason,
  function: entry.function,
  data: entry.data,
});

/** The root cause comes first, but what libssl says of its own is what users know by name. */
function mainEntry(entries: readonly NativeErrorEntry[]): NativeErrorEntry | undefined {
  const own = entries.filter(entry => entry.libraryCode === sslLibrary);
  return own.find(entry => !isCommonReason(entry)) ?? own.find(entry => !pointsElsewhere(entry)) ?? entries[0];
}

function alertOf(failure: NativeFailure, main: NativeErrorEntry | undefined): TlsAlert | undefined {
  if (failure.alert !== undefined) {
    const { level, description, received } = failure.alert;
    return makeAlert(level, description, received);
  }
  const description = main === undefined ? undefined : alertOfEntry(main);
  return description === undefined ? undefined : makeAlert(2, description, true);
}

export function makeAlert(level: number, description: number, received: boolean): TlsAlert {
  return {
    level: alertLevel(level),
    description,
    name: alertName(description),
    direction: received ? 'received' : 'sent',
  };
}

function sentence(where: string, parts: readonly (string | undefined)[], code: string): string {
  const text = [where, ...parts].filter(part => part !== undefined && part !== '').join(': ');
  const advice = adviceFor(code);
  return advice === undefined ? text : `${text} (${advice})`;
}

function toOpenSslError(failure: NativeFailure, where: string): OpenSslError {
  const native = mainEntry(failure.errors);
  const main = native === undefined ? undefined : publicEntry(native);
  const verifyResult = failure.verifyResult === 0 ? undefined : makeVerifyResult(failure.verifyResult);
  const code = verifyResult === undefined ? (main?.code ?? 'ERR_OSSL_UNKNOWN') : codeOfVerifyResult(verifyResult.code);
  const [root] = failure.errors;
  const cause = root === native ? undefined : root?.reason;
  const message = sentence(where, [failure.message, main?.reason, cause, main?.data, verifyResult?.message], code);
  const errors = failure.errors.map(publicEntry);
  const number = native === undefined ? 0 : packed(native);
  return new OpenSslError(message, { code, number, errors, main, alert: alertOf(failure, native), verifyResult });
}

function toSystemError(failure: NativeFailure, errno: number, where: string): Error {
  const code = getSystemErrorName(-errno);
  const message = sentence(where, [`${failure.syscall ?? 'system call'} ${code}`, failure.message], code);
  // The sign is node's own convention.
  return Object.assign(new Error(message), { code, errno: -errno, syscall: failure.syscall });
}

/** Our own code, with what OpenSSL had to say about it. */
function toNamedError(failure: NativeFailure, code: string, where: string): Error {
  const error = tlsError(code, sentence(where, [failure.message], code));
  if (failure.verifyResult === 0) return error;
  return Object.assign(error, { verifyResult: makeVerifyResult(failure.verifyResult) });
}

/** The alert that came of `error`, as an {@link OpenSslError} has it. */
export function withAlert(error: Error, failure: NativeFailure): Error {
  return Object.assign(error, { alert: alertOf(failure, undefined) });
}

/**
 * Makes the Error of what native code reports.
 *
 * @param where - the connection or object that failed, for the message
 */
export function toError(failure: NativeFailure, where = ''): Error {
  if (failure.code !== undefined && failure.code !== '') {
    const named = toNamedError(failure, failure.code, where);
    return failure.alert === undefined ? named : withAlert(named, failure);
  }
  if (failure.errno !== undefined && failure.errno !== 0 && failure.errors.length === 0) {
    return toSystemError(failure, failure.errno, where);
  }
  return toOpenSslError(failure, where);
}
