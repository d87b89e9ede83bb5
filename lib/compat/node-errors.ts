// Errors as node:tls tells them.
import { getSystemErrorMap } from 'node:util';
import { errorNumber, OpenSslError } from '../errors/errors.ts';

const numbers = new Map([...getSystemErrorMap()].map(([errno, [name]]) => [name, errno]));

/** libuv's number of a system's error; undefined: it is none. */
export function errnoOf(error: Error): number | undefined {
  return numbers.get(String((error as NodeJS.ErrnoException).code));
}

export function systemError(code: string, syscall: string, cause?: Error): Error {
  const error = new Error(`${syscall} ${code}`, cause && { cause });
  return Object.assign(error, { errno: numbers.get(code), code, syscall });
}

const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
/** How the OpenSSL of this node calls alerts that SSL 3.0 had too; OpenSSL 3.2 has renamed them. node's codes are made of it. */
const oldAlerts = major > 3 || (major === 3 && minor >= 2) ? 'ssl/tls alert' : 'sslv3 alert';
const anyOldAlert = /^(?:sslv3|ssl\/tls) alert/;

/** The reason and the code as node's own OpenSSL would have them. */
function inNodesWords({ reason, code }: OpenSslError): { readonly reason: string; readonly code: string } {
  if (!anyOldAlert.test(reason)) return { reason, code };
  const renamed = reason.replace(anyOldAlert, oldAlerts);
  return { reason: renamed, code: `ERR_SSL_${renamed.replaceAll(' ', '_').toUpperCase()}` };
}

/** As the queue of errors prints it, ERR_print_errors(3), without the number of the thread, files and lines. */
function opensslError(error: OpenSslError): Error {
  const { library, alert } = error;
  const { reason, code } = inNodesWords(error);
  const number = errorNumber(error).toString(16).toUpperCase().padStart(8, '0');
  const received = alert?.direction === 'received' ? `:SSL alert number ${alert.description}` : '';
  const text = `error:${number}:${library}:${error.function}:${reason}${received}`;
  return Object.assign(new Error(text, { cause: error }), { library, reason, code });
}

/** What a function of node's, or of its user's, threw. */
const isOfCallback = (error: Error): boolean =>
  /^ERR_TLS_\w+_CALLBACK$/.test(String((error as NodeJS.ErrnoException).code));

/** SSL_use_psk_identity_hint(3). node spells it so. */
export function hintRefused(): Error {
  return Object.assign(new Error('Failed to set PSK identity hint'), { code: 'ERR_TLS_PSK_SET_IDENTIY_HINT_FAILED' });
}

/** Of the option `session`, and of setSession(). */
export function sessionNoBuffer(): Error {
  return Object.assign(new TypeError('Session must be a buffer'), { code: 'ERR_INVALID_ARG_TYPE' });
}

/** Of tls.setDefaultCACertificates(). */
export function noCertificates(): Error {
  const error = new Error('No valid certificates found in the provided array');
  return Object.assign(error, { code: 'ERR_CRYPTO_OPERATION_FAILED' });
}

/** node's text and fields; what we know more is the `cause`. */
export function nodeError(error: Error, syscall: string): Error {
  if (error instanceof OpenSslError) return opensslError(error);
  if (isOfCallback(error) && error.cause instanceof Error) return error.cause;
  const { code } = error as NodeJS.ErrnoException;
  return code === undefined || errnoOf(error) === undefined ? error : systemError(code, syscall, error);
}

/** SSL_renegotiate(3) with TLS 1.3. */
export function wrongVersion(): Error {
  const reason = 'wrong ssl version';
  const error = new Error(`error:0A00010A:SSL routines::${reason}`);
  return Object.assign(error, { library: 'SSL routines', reason, code: 'ERR_SSL_WRONG_SSL_VERSION' });
}
