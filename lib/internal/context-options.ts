// From the options that users know to what native code takes.
import type { NativeContextOptions } from '../../types/binding.d.ts';
import type { SslContextOptions } from '../context.ts';
import { alpnWire } from './alpn.ts';
import { splitCiphers } from './ciphers.ts';
import { invalidArgType, invalidArgValue, tlsError } from './coded-error.ts';
import { defined, nativeCredentials } from './credentials.ts';
import { type Method, methodOf } from './methods.ts';
import { ticketKeys } from './ticket-keys.ts';
import { nativeTrust } from './trust.ts';
import {
  asBytes,
  optionalBoolean,
  optionalInteger,
  optionalString,
  validateInteger,
  validateObject,
  validateText,
} from './validate.ts';
import { assertCanWait, type VerifyPolicy, verifyMode, verifyPolicy } from './verify-mode.ts';
import { refuseSecureProtocol, versionRange } from './versions.ts';

/** What the connections of a context need to know of its options. */
export interface ContextPolicy {
  readonly verify: VerifyPolicy;
  readonly method: Method;
  /** Absent: a client may not start one. */
  readonly renegotiation: { readonly limit: number /** Milliseconds. */; readonly window: number } | undefined;
  readonly keyUpdateLimit: number | undefined;
}

const maxInt32 = 2 ** 31 - 1;
const sessionIdContextLength = 32;

const defaultRenegotiation = { limit: 3, window: 600 };

function renegotiationPolicy(value: SslContextOptions['clientRenegotiation']): ContextPolicy['renegotiation'] {
  if (value === undefined || value === null || value === false) return undefined;
  if (value !== true && (typeof value !== 'object' || Array.isArray(value))) {
    throw invalidArgType('options.clientRenegotiation', 'a boolean or an object { limit, window }', value);
  }
  const { limit, window } = { ...defaultRenegotiation, ...(value === true ? {} : value) };
  validateInteger(limit, 'options.clientRenegotiation.limit', 1, maxInt32);
  validateInteger(window, 'options.clientRenegotiation.window', 1, Math.floor(maxInt32 / 1000));
  return { limit, window: window * 1000 };
}

export function contextPolicy(options: SslContextOptions): ContextPolicy {
  validateObject(options, 'options');
  const verify = verifyPolicy(options);
  const method = methodOf(options.method);
  assertCanWait(method.side === 'server', verify);
  return {
    verify,
    method,
    renegotiation: renegotiationPolicy(options.clientRenegotiation),
    keyUpdateLimit: optionalInteger(options.keyUpdateLimit, 'options.keyUpdateLimit', 1, maxInt32),
  };
}

/** node:tls takes a name here, or 'auto' for the library's own list. */
function groups(value: unknown): string | undefined {
  const text = optionalString(value, 'options.ecdhCurve');
  return text === undefined || text === 'auto' ? undefined : validateText(text, 'options.ecdhCurve');
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

function refuseWhatIsMissing(options: SslContextOptions & Record<string, unknown>): void {
  refuseSecureProtocol(options['secureProtocol']);
  for (const name of ['clientCertEngine', 'privateKeyEngine', 'privateKeyIdentifier']) {
    if (options[name] === undefined || options[name] === null) continue;
    throw tlsError(
      'ERR_TLS_OPTION_UNSUPPORTED',
      `"options.${name}" is not supported: OpenSSL replaced engines by providers`,
    );
  }
}

export function nativeContextOptions(options: SslContextOptions, policy: ContextPolicy): NativeContextOptions {
  refuseWhatIsMissing(options as SslContextOptions & Record<string, unknown>);
  const { versions, ...ciphers } = splitCiphers(options.ciphers, versionRange(options, policy.method));
  return {
    ...(policy.method.side !== undefined && { side: policy.method.side }),
    ...(policy.method.dtls && { dtls: true }),
    minVersion: versions.min,
    maxVersion: versions.max,
    ...ciphers,
    ...nativeCredentials(options),
    ...nativeTrust(options),
    ...defined({
      sigalgs: text(options.sigalgs, 'options.sigalgs'),
      groups: groups(options.ecdhCurve),
      dhparam: dhparam(options.dhparam),
      alpn: alpnWire(options.ALPNProtocols),
      sessionIdContext: sessionIdContext(options.sessionIdContext),
      sessionTimeout: optionalInteger(options.sessionTimeout, 'options.sessionTimeout', 0, maxInt32),
      ticketKeys: ticketKeys(options.ticketKeys),
      ticketCount: optionalInteger(options.ticketCount, 'options.ticketCount', 0, 255),
      verifyDepth: optionalInteger(options.verifyDepth, 'options.verifyDepth', 0, 1000),
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
