// Verification by a function of the application's: options, the question in its terms, its answer in OpenSSL's.
import { createHash, randomUUID, X509Certificate } from 'node:crypto';
import type { NativeVerifyReport } from '../../types/binding.d.ts';
import { invalidArgType, invalidArgValue, invalidReturnValue } from '../base/coded-error.ts';
import { optionalString } from '../base/validate.ts';
import { verifyResultCode } from '../errors/codes.ts';
import { makeVerifyResult, nameMismatches, type VerifyResult } from '../errors/errors.ts';
import { answerFrom, functionFailed } from './answer.ts';
import type { CallbackRequest } from './request.ts';
import type { VerifierOptions, Verify, VerifyCallback, VerifyFinding, VerifyRequest } from './verification.ts';

const X509_V_OK = 0;
/** X509_V_ERR_APPLICATION_VERIFICATION: never used by OpenSSL itself. */
const applicationVerification = 50;
/** X509_V_ERR_CERT_CHAIN_TOO_LONG. */
const chainTooLong = 22;
const findingLength = 3;

type VerifierFunction =
  | { readonly name: 'verify'; readonly call: Verify }
  | { readonly name: 'verifyCallback'; readonly call: VerifyCallback };

export type Verifier = VerifierFunction & {
  /** What sessions remember of it. Hexadecimal, 32 bytes. */
  readonly digest: string;
  /** It has a `verifyId`, so that the digest is the same in every process. */
  readonly named: boolean;
};

const maxVerifyId = 255;

/** Of functions without a `verifyId`: good for this process alone, and as long as the function lives. */
const identities = new WeakMap<object, string>();

/**
 * What a function decides depends on more than its text, on the values around it first of all. So a function is the same
 * only if it is the same object, unless somebody who knows what it decides says otherwise.
 */
function identityOf({ name, call }: VerifierFunction): string {
  let identity = identities.get(call);
  if (identity === undefined) {
    identity = randomUUID();
    identities.set(call, identity);
  }
  return `${name} ${identity}`;
}

function verifyIdOption(value: unknown): string | undefined {
  const id = optionalString(value, 'options.verifyId');
  if (id !== undefined && (id === '' || Buffer.byteLength(id) > maxVerifyId)) {
    throw invalidArgValue('options.verifyId', `must have 1 to ${maxVerifyId} bytes`, id);
  }
  return id;
}

function verifier(given: VerifierFunction, id: string | undefined): Verifier {
  const { name, call } = given;
  if (typeof call !== 'function') throw invalidArgType(`options.${name}`, 'a function, or null for none', call);
  const identity = id === undefined ? identityOf(given) : `verifyId ${id}`;
  return { ...given, digest: createHash('sha256').update(identity).digest('hex'), named: id !== undefined };
}

function givenFunction({ verify, verifyCallback }: VerifierOptions): VerifierFunction | null | undefined {
  if (verify && verifyCallback) {
    throw invalidArgValue('options.verifyCallback', 'is beside "options.verify": one of them decides', verifyCallback);
  }
  if (verify !== undefined && verify !== null) return { name: 'verify', call: verify };
  if (verifyCallback !== undefined && verifyCallback !== null) return { name: 'verifyCallback', call: verifyCallback };
  return verify === null || verifyCallback === null ? null : undefined;
}

/** Options verify, verifyCallback and verifyId; `otherwise` decides if neither function is there. */
export function verifierOption(options: VerifierOptions, otherwise: Verifier | null): Verifier | null {
  const id = verifyIdOption(options.verifyId);
  const given = givenFunction(options);
  if (given === undefined && id === undefined) return otherwise;
  const decides = given === undefined ? otherwise : given;
  if (decides !== null) return verifier(decides, id);
  if (id === undefined) return null;
  throw invalidArgValue(
    'options.verifyId',
    'is there without the function that it names: verify or verifyCallback',
    id,
  );
}

// ---------------------------------------------------------------------------------------------------------------------
// The question

/** All findings, those too that are content with a certificate which others found wrong. */
interface Question {
  readonly asked: CallbackRequest;
  readonly request: VerifyRequest;
  readonly findings: readonly VerifyFinding[];
}

/** Each is made when somebody looks at it: that takes longer than all the rest of a question. */
function certificatesOf({ certificates }: NativeVerifyReport): (place: number) => X509Certificate {
  const made: X509Certificate[] = [];
  return place => (made[place] ??= new X509Certificate(certificates[place] as Uint8Array));
}

/** Where the certificate is that a finding is about; where OpenSSL names none, it is about the peer's own. */
function placeOf(place: number, depth: number, { certificates, chainLength }: NativeVerifyReport): number {
  if (place >= 0 && place < certificates.length) return place;
  return depth < chainLength ? depth : 0;
}

/** Of several errors the one that native code tells where no function decides: verify_to_end() in verification.cc. */
function told(findings: readonly VerifyFinding[]): VerifyResult | undefined {
  const errors = findings.flatMap(({ error }) => error ?? []);
  const cut = errors.find(({ code }) => code === chainTooLong);
  return cut ?? errors.findLast(({ code }) => !nameMismatches.has(code)) ?? errors[0];
}

function question(report: NativeVerifyReport, asked: CallbackRequest): Question {
  const certificate = certificatesOf(report);
  const findings: VerifyFinding[] = [];
  const faulty = new Set<number>();
  const places: number[] = [];
  for (let at = 0; at < report.findings.length && report.certificates.length > 0; at += findingLength) {
    const [named = -1, depth = 0, code = X509_V_OK] = report.findings.slice(at, at + findingLength);
    const place = placeOf(named, depth, report);
    const error = code === X509_V_OK ? null : makeVerifyResult(code);
    if (error !== null) faulty.add(place);
    places.push(place);
    findings.push(
      Object.freeze({
        get certificate() {
          return certificate(place);
        },
        depth,
        error,
      }),
    );
  }
  const certificates = Object.freeze(
    findings.filter(({ error }, index) => error !== null || !faulty.has(places[index] as number)),
  );
  const verifyResult = told(certificates) ?? makeVerifyResult(X509_V_OK);
  let chain: readonly X509Certificate[] | undefined;
  const request = {
    ...asked,
    verifyResult,
    get chain() {
      chain ??= Object.freeze(Array.from({ length: report.chainLength }, (_, place) => certificate(place)));
      return chain;
    },
    certificates,
  };
  return { asked, request, findings };
}

// ---------------------------------------------------------------------------------------------------------------------
// The answer

/** X509_V_... of what a function answered; `found` is what OpenSSL thinks. */
function resultOf(answer: unknown, found: number, name: string): number {
  if (answer === true) return X509_V_OK;
  if (answer === false) return found === X509_V_OK ? applicationVerification : found;
  const code = typeof answer === 'string' ? verifyResultCode(answer) : undefined;
  if (code !== undefined) return code;
  throw invalidReturnValue(name, "true, false or the name of a verification error such as 'CERT_REVOKED'", answer);
}

interface Asking {
  /** For messages. */
  readonly name: string;
  readonly where: string;
}

/** X509_V_..., at once if `call` answers at once. */
function resultFrom(call: () => unknown, found: number, { name, where }: Asking): number | Promise<number> {
  return answerFrom(
    call,
    answer => resultOf(answer, found, name),
    error => functionFailed('ERR_TLS_VERIFY_CALLBACK', `${where}: the function ${name} failed`, error),
  );
}

async function resultOfEach(call: VerifyCallback, { asked, findings }: Question, asking: Asking): Promise<number> {
  // Nothing was looked at: then nobody has agreed either.
  let result = applicationVerification;
  for (const finding of findings) {
    const { depth, error } = finding;
    const shown = {
      get certificate() {
        return finding.certificate;
      },
      depth,
      error,
      ...asked,
    };
    const ask = () => call(error === null, shown);
    result = await resultFrom(ask, error?.code ?? X509_V_OK, asking);
    if (result !== X509_V_OK) break;
  }
  return result;
}

/**
 * What the user's function decides: X509_V_....
 *
 * @param where - the connection, for messages
 * @throws (or rejects) Error `ERR_TLS_VERIFY_CALLBACK`, TypeError `ERR_INVALID_RETURN_VALUE`
 */
export function decide(
  verifier: Verifier,
  report: NativeVerifyReport,
  asked: CallbackRequest,
  where: string,
): number | Promise<number> {
  const put = question(report, asked);
  const asking = { name: verifier.name, where };
  if (verifier.name === 'verifyCallback') return resultOfEach(verifier.call, put, asking);
  return resultFrom(() => verifier.call(put.request), put.request.verifyResult.code, asking);
}
