// What a session may be resumed for. Resumption skips verification, so all that verification would have depended on must
// be the same.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { NativeContextOptions, NativeInput, NativeSession } from '../../types/binding.d.ts';
import { tlsError } from '../base/coded-error.ts';
import type { Verifier } from '../callbacks/verifier.ts';
import type { VerifyPolicy } from '../callbacks/verify-mode.ts';
import { isHashedName } from '../library/rehash.ts';

/** Whom OpenSSL trusts. */
export interface Trusted {
  /** {@link trustDigest} of the context. */
  readonly digest: string;
  /** SSL_get_security_level(3): whose keys and signatures are strong enough. */
  readonly securityLevel: number;
  /** If it is another than the context's. */
  readonly verifyDepth?: number | undefined;
}

/** How a session came to be. */
export interface SessionOrigin {
  /** The host that it was made with; null: unknown, or none. */
  readonly host: string | null;
  /** Digest of whom its connection trusted; null: unknown. */
  readonly trust: string | null;
  /** Whether its connection insisted on a peer that verifies. */
  readonly verified: boolean;
  /**
   * A function without a `verifyId` decided, so that `trust` tells nothing outside of its process: `'here'`, or
   * `'elsewhere'` where that may have been, since the session was stored. Absent: it is the same in every process.
   */
  readonly unnamed?: 'here' | 'elsewhere' | undefined;
}

/** What a connection would give its own sessions. */
export interface ExpectedOrigin extends SessionOrigin {
  readonly trusted: Trusted;
  /** A function of the application's that decides instead; it may trust others. */
  readonly verifier: Verifier | null;
}

const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

const contents = (list: readonly NativeInput[] | undefined): string[] =>
  (list ?? []).map(({ data }) => sha256(data)).sort();

/** Files change while their names stay. What is no plain file cannot be read twice. */
function fileContent(file: string | undefined): string | null {
  if (file === undefined) return null;
  return statSync(file).isFile() ? sha256(readFileSync(file)) : resolve(file);
}

/** Bytes of a folder that are read; it is looked at in each new context. */
const maxFolder = 16 * 2 ** 20;

/**
 * What OpenSSL finds in a folder, by names and contents, so that the same is the same on another machine and after a
 * restart. Beyond a bound, and where nothing can be read, sizes and times stand for the contents.
 */
function folderContent(folder: string): readonly (readonly string[])[] {
  let left = maxFolder;
  const names = readdirSync(folder).filter(isHashedName).sort();
  return names.map(name => {
    const file = join(folder, name);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) return [name];
    left -= stat.size;
    const looks = [name, String(stat.size), String(stat.mtimeMs)];
    if (!stat.isFile() || left < 0) return looks;
    try {
      return [name, sha256(readFileSync(file))];
    } catch {
      return looks;
    }
  });
}

/**
 * Equal for contexts that trust the same certificates by the same rules, but for the security level. Hexadecimal, 32
 * bytes.
 */
export function trustDigest(options: NativeContextOptions): string {
  const { ca, caFile, caPath, crl, crlCheck, partialChain, pfx, systemCa, verifyDepth } = options;
  // Where SSL_CTX_set_default_verify_paths(3) looks.
  const { SSL_CERT_FILE: systemFile, SSL_CERT_DIR: systemPath } = process.env;
  return sha256(
    JSON.stringify({
      ca: contents(ca),
      // The authorities that come with a key are trusted too.
      pfx: contents(pfx),
      crl: contents(crl),
      ...(crlCheck !== undefined && { crlCheck }),
      ...(partialChain && { partialChain }),
      caFile: fileContent(caFile),
      // The name too: what is put there later is found without a new context.
      caPath: caPath === undefined ? null : [resolve(caPath), folderContent(caPath)],
      system: systemCa ? [systemFile ?? null, systemPath ?? null] : null,
      verifyDepth: verifyDepth ?? null,
    }),
  );
}

/**
 * A server's session id context, or what its default is made of: resumed sessions are those of the same policy. It is the
 * same in all processes that have the same policy, and in no other. Whoever names one keeps the policies apart, but for
 * functions, of which nobody knows what else they would decide.
 */
export function idContext(
  { sessionIdContext }: NativeContextOptions,
  trust: string,
  { requestCert, rejectUnauthorized, mode, verifier }: VerifyPolicy,
): Pick<NativeContextOptions, 'sessionIdContext' | 'sessionPolicy'> {
  const decides = verifier?.digest ?? null;
  if (sessionIdContext === undefined) {
    const policy = JSON.stringify([trust, requestCert, rejectUnauthorized, mode ?? null, decides]);
    return { sessionPolicy: Buffer.from(policy) };
  }
  if (decides === null) return { sessionIdContext };
  return { sessionIdContext: createHash('sha256').update(sessionIdContext).update(decides).digest() };
}

type Deciding = Pick<VerifyPolicy, 'rejectUnauthorized' | 'verifier'>;

export function originUnder(
  { rejectUnauthorized, verifier }: Deciding,
  host: string | null,
  trusted: Trusted,
): ExpectedOrigin {
  const { digest, securityLevel, verifyDepth } = trusted;
  const trust = sha256(JSON.stringify([digest, securityLevel, verifyDepth ?? null, verifier?.digest ?? null]));
  const unnamed = verifier === null || verifier.named ? undefined : 'here';
  return { host, trust, verified: rejectUnauthorized, unnamed, trusted, verifier };
}

/** The same under another security level. */
export function originAtLevel(origin: ExpectedOrigin, securityLevel: number): ExpectedOrigin {
  const { host, verified, verifier, trusted } = origin;
  return originUnder({ rejectUnauthorized: verified, verifier }, host, { ...trusted, securityLevel });
}

/** NativeSession.policy. */
const Policy = { Resumed: 1, First: 2 } as const;
/** Of one connection; a session of an older one is of unknown policy. */
const maxFormer = 32;

/**
 * What the sessions of one connection were made under. Policies may change while a handshake is under way on another
 * thread, and tickets may come long after their handshake, so each session says itself which one it was verified by.
 */
export class SessionOrigins {
  #current: ExpectedOrigin;
  #number: number = Policy.First;
  #former: Map<number, SessionOrigin> | undefined;
  /** Of a session that was set: what it fitted when it was resumed. */
  resumed: SessionOrigin | undefined;

  constructor(first: ExpectedOrigin) {
    this.#current = first;
  }

  /** What holds now. */
  get current(): ExpectedOrigin {
    return this.#current;
  }

  /** The number that another policy is to have. */
  get next(): number {
    return this.#number + 1;
  }

  /** Whether `origin` is another policy than what holds now. */
  differs({ trust, verified }: SessionOrigin): boolean {
    return trust !== this.#current.trust || verified !== this.#current.verified;
  }

  /** `origin` holds from now on, as {@link next}. */
  change(origin: ExpectedOrigin): void {
    this.#former ??= new Map();
    this.#former.set(this.#number, this.#current);
    if (this.#former.size > maxFormer) this.#former.delete(this.#number - maxFormer);
    this.#number++;
    this.#current = origin;
  }

  /** `origin` is the same policy, by another function with the same `verifyId`. */
  keep(origin: ExpectedOrigin): void {
    this.#current = origin;
  }

  /** Of a client's session. */
  of({ policy }: NativeSession): SessionOrigin {
    if (policy === this.#number) return this.#current;
    const known = policy === Policy.Resumed ? this.resumed : this.#former?.get(policy);
    return known ?? { host: this.#current.host, trust: null, verified: false };
  }
}

const normalized = (host: string): string => host.toLowerCase().replace(/\.$/, '');

/** The name of a certificate is looked at again, unless a function decided, which may have accepted any. */
function sameHost({ host: one }: SessionOrigin, { host: other, verifier }: ExpectedOrigin): boolean {
  if (one === null || other === null) return verifier === null || one === other;
  return normalized(one) === normalized(other);
}

/**
 * For connections that verify their peer. Native code looks at the certificate's name and at the kept result again when
 * the session was resumed, but it cannot know who was trusted when that result was found.
 *
 * @returns false if it cannot be known whether the session fits: then the handshake must be full
 */
export function assertSessionFits(origin: SessionOrigin, expected: ExpectedOrigin): boolean {
  if (!sameHost(origin, expected)) {
    throw tlsError(
      'ERR_TLS_SESSION_HOST_MISMATCH',
      `the session was made with ${origin.host ?? 'no host'} and cannot be resumed with ${expected.host ?? 'none'}: make a new one, or keep sessions by host`,
    );
  }
  if (origin.trust === null) {
    throw tlsError(
      'ERR_TLS_SESSION_POLICY_MISMATCH',
      'the session does not tell whom its connection trusted (plain DER, or the format of an earlier version), and resuming it would skip verification: connect without it, and store what serialize() of the new session returns',
    );
  }
  if (!origin.verified) {
    throw tlsError(
      'ERR_TLS_SESSION_NOT_VERIFIED',
      'the session was made by a connection that did not insist on verification, and resuming it would skip it: connect without it',
    );
  }
  if (origin.trust === expected.trust) return true;
  if (origin.unnamed === 'elsewhere') return false;
  throw policyMismatch();
}

export const policyMismatch = (): Error =>
  tlsError(
    'ERR_TLS_SESSION_POLICY_MISMATCH',
    'the session was made under another policy (ca, caFile, caPath, systemCa, allowPartialTrustChain, crl, pfx, verifyDepth or the security level differ, or the function verify, which is the same only if it is one object or has the same verifyId), and resuming it would skip verification: connect without it, and keep sessions by the policy that they were made under',
  );
