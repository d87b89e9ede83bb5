// How a connection verifies its peer: in node:tls's words (requestCert, rejectUnauthorized) or in OpenSSL's (verifyMode).

import { invalidArgValue } from '../base/coded-error.ts';
import { optionalBoolean, validateOneOf } from '../base/validate.ts';
import { VerifyMode } from '../native/constants.ts';
import { assertJobs } from './async-jobs.ts';
import type { VerifierOptions } from './verification.ts';
import { type Verifier, verifierOption } from './verifier.ts';

/** SSL_VERIFY_... of SSL_CTX_set_verify(3), without the prefix. */
export type VerifyModeName = 'NONE' | 'PEER' | 'FAIL_IF_NO_PEER_CERT' | 'CLIENT_ONCE' | 'POST_HANDSHAKE';

export interface VerifyOptions extends VerifierOptions {
  readonly requestCert?: boolean | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
  readonly verifyMode?: VerifyModeName | readonly VerifyModeName[] | undefined;
}

export interface VerifyPolicy {
  readonly rejectUnauthorized: boolean;
  readonly requestCert: boolean;
  /** SSL_VERIFY_..., if it was given in OpenSSL's words. */
  readonly mode: number | undefined;
  /** Who decides instead of OpenSSL. */
  readonly verifier: Verifier | null;
}

const bits: Readonly<Record<VerifyModeName, number>> = {
  NONE: VerifyMode.None,
  PEER: VerifyMode.Peer,
  FAIL_IF_NO_PEER_CERT: VerifyMode.FailIfNoPeerCertificate,
  CLIENT_ONCE: VerifyMode.ClientOnce,
  POST_HANDSHAKE: VerifyMode.PostHandshake,
};
const names = Object.keys(bits) as VerifyModeName[];

const defaults: VerifyPolicy = { rejectUnauthorized: true, requestCert: false, mode: undefined, verifier: null };

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

function modeOf(value: unknown): number {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0) throw invalidArgValue('options.verifyMode', "must not be empty; 'NONE' turns it off", value);
  let mode: number = VerifyMode.None;
  for (const name of list) {
    validateOneOf(name, 'options.verifyMode', names);
    mode |= bits[name];
  }
  if (list.includes('NONE') && mode !== VerifyMode.None) {
    throw invalidArgValue('options.verifyMode', "has 'NONE' beside others", value);
  }
  // OpenSSL ignores them then, which nobody who writes them means.
  if (mode !== VerifyMode.None && (mode & VerifyMode.Peer) === 0) {
    throw invalidArgValue('options.verifyMode', "must have 'PEER' beside others, which are ignored without it", value);
  }
  return mode;
}

/** What options say, and what they leave as it was. */
export function verifyPolicy(options: VerifyOptions, otherwise: VerifyPolicy = defaults): VerifyPolicy {
  const policy = { ...modePolicy(options, otherwise), verifier: verifierOption(options, otherwise.verifier) };
  if (policy.verifier !== null && policy.mode === undefined && !policy.rejectUnauthorized) {
    throw invalidArgValue(
      'options.rejectUnauthorized',
      `is false, while "${policy.verifier.name}" decides: omit one of them (${policy.verifier.name}: null); a server to which certificates are optional has verifyMode: 'PEER'`,
      false,
    );
  }
  return policy;
}

/** What is said beside a context; what that leaves open the context says. Throws for what contradicts itself. */
export function givenPolicy(options: VerifyOptions): VerifyOptions {
  const { requestCert, rejectUnauthorized, verifyMode, verify, verifyCallback, verifyId } = options;
  const given = { requestCert, rejectUnauthorized, verifyMode };
  // Whether there is a function for a name alone, the context knows.
  verifyPolicy({ ...given, verify, verifyCallback, ...((verify || verifyCallback) && { verifyId }) });
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => isGiven(value))),
    // Null says that nobody decides, whatever the context says.
    ...((verify !== undefined || verifyCallback !== undefined) && { verify, verifyCallback, verifyId }),
    ...(isGiven(verifyId) && { verifyId }),
  };
}

type ModePolicy = Omit<VerifyPolicy, 'verifier'>;

function modePolicy(options: VerifyOptions, otherwise: ModePolicy): ModePolicy {
  const { requestCert, rejectUnauthorized, verifyMode } = options;
  if (isGiven(verifyMode)) {
    if (isGiven(requestCert) || isGiven(rejectUnauthorized)) {
      throw invalidArgValue('options.verifyMode', 'says it all: omit requestCert and rejectUnauthorized', verifyMode);
    }
    const mode = modeOf(verifyMode);
    const peer = (mode & VerifyMode.Peer) !== 0;
    return { rejectUnauthorized: peer, requestCert: peer, mode };
  }
  const base = isGiven(requestCert) || isGiven(rejectUnauthorized) ? { ...otherwise, mode: undefined } : otherwise;
  return {
    // As in node:tls only `false` itself turns verification off.
    rejectUnauthorized: optionalBoolean(rejectUnauthorized, 'options.rejectUnauthorized', base.rejectUnauthorized),
    requestCert: optionalBoolean(requestCert, 'options.requestCert', base.requestCert),
    mode: base.mode,
  };
}

/** SSL_VERIFY_... for a side: what rejectUnauthorized means to a client, and requestCert to a server. */
export function verifyMode(server: boolean, { rejectUnauthorized, requestCert, mode }: VerifyPolicy): number {
  if (mode !== undefined) return mode;
  if (!server) return rejectUnauthorized ? VerifyMode.Peer : VerifyMode.None;
  if (!requestCert) return VerifyMode.None;
  return rejectUnauthorized ? VerifyMode.Peer | VerifyMode.FailIfNoPeerCertificate : VerifyMode.Peer;
}

/** A client's handshake can be retried when there is an answer; a server's waits in a job of OpenSSL's. */
export function assertCanWait(server: boolean, { verifier }: Pick<VerifyPolicy, 'verifier'>): void {
  if (server && verifier !== null) assertJobs(verifier.name, 'omit the option');
}

/** A server that asks without insisting hears the verdict after the handshake; a client's mode says it all. */
export function verifyContinue(server: boolean, { rejectUnauthorized, mode }: VerifyPolicy): boolean {
  return server && mode === undefined && !rejectUnauthorized;
}
