// Options of an Ssl, checked and in native terms.
import { isIP } from 'node:net';
import type { NativeConnectionOptions } from '../../types/binding.d.ts';
import type { SslOptions } from '../ssl-options.ts';
import { invalidArgValue } from './coded-error.ts';
import type { ContextPolicy } from './context-options.ts';
import { nativeCredentials } from './credentials.ts';
import { assertMethodSide } from './methods.ts';
import {
  optionalBoolean,
  optionalInteger,
  optionalString,
  validateObject,
  validateOneOf,
  validateText,
} from './validate.ts';
import { type VerifyPolicy, verifyContinue, verifyMode, verifyPolicy } from './verify-mode.ts';

const maxInt32 = 2 ** 31 - 1;
/** TLSEXT_MAXLEN_host_name. */
const maxServername = 255;

export interface CheckedSslOptions {
  readonly server: boolean;
  readonly servername: string | undefined;
  /** What the peer's certificate must carry. */
  readonly host: string | undefined;
  /** What sessions are kept for. */
  readonly sessionHost: string | undefined;
  readonly verify: VerifyPolicy;
  readonly verifyDepth: number | undefined;
}

function hostName(value: unknown, name: string): string | undefined {
  const text = optionalString(value, name);
  return text === undefined || text === '' ? undefined : validateText(text, name);
}

function serverName(value: unknown): string | undefined {
  const name = optionalString(value, 'options.servername');
  if (name === undefined) return undefined;
  if (name === '' || Buffer.byteLength(name) > maxServername) {
    throw invalidArgValue('options.servername', `must have 1 to ${maxServername} bytes`, name);
  }
  if (isIP(name) !== 0)
    throw invalidArgValue('options.servername', 'must be a name: RFC 6066 permits no IP address', name);
  return validateText(name, 'options.servername');
}

export function checkSslOptions(options: SslOptions, policy: ContextPolicy): CheckedSslOptions {
  validateObject(options, 'options');
  validateOneOf(options.side, 'options.side', ['client', 'server']);
  const server = options.side === 'server';
  const servername = server ? undefined : serverName(options.servername);
  assertMethodSide(policy.method, options.side);
  const host = options.host === false ? undefined : (hostName(options.host, 'options.host') ?? servername);
  return {
    server,
    servername,
    host,
    sessionHost: host ?? servername,
    verify: verifyPolicy(options, policy.verify),
    verifyDepth: optionalInteger(options.verifyDepth, 'options.verifyDepth', 0, 1000),
  };
}

export function nativeSslOptions(
  id: number,
  checked: CheckedSslOptions,
  policy: ContextPolicy,
  options: SslOptions,
): NativeConnectionOptions {
  const { server, servername, host, verify, verifyDepth } = checked;
  const outMark = optionalInteger(options.outgoingMark, 'options.outgoingMark', 1, maxInt32);
  const ktls = optionalBoolean(options.ktls, 'options.ktls', false);
  const readAhead = optionalInteger(options.readAhead, 'options.readAhead', 0, maxInt32);
  return {
    id,
    server,
    ...nativeCredentials(options),
    verifyMode: verifyMode(server, verify),
    verifyContinue: verifyContinue(server, verify),
    ...(verifyDepth !== undefined && { verifyDepth }),
    ...(servername !== undefined && { servername }),
    ...(host !== undefined && !server && { verifyHost: host }),
    ...(ktls && { ktls }),
    ...(outMark !== undefined && { outMark }),
    ...(readAhead !== undefined && { readAhead }),
    ...(policy.keyUpdateLimit !== undefined && { keyUpdateLimit: policy.keyUpdateLimit }),
    ...(policy.renegotiation !== undefined && {
      renegotiationLimit: policy.renegotiation.limit,
      renegotiationWindow: policy.renegotiation.window,
    }),
  };
}
