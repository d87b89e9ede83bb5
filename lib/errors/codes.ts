// From OpenSSL's numbers to the codes and names that the API promises.
import type { NativeErrorEntry } from '../../types/binding.d.ts';
import { commonReasons, libraryReasons, verifyResults } from './reason-codes.ts';

// Bits of a reason number beside the number itself: ERR_RFLAG_FATAL and ERR_RFLAG_COMMON of <openssl/err.h>.
const reasonBits = 18;
const commonFlag = 2 << reasonBits;
const numberMask = (1 << reasonBits) - 1;
/** Common reasons below are library numbers (ERR_R_MALLOC_FAILURE is the first other). */
const firstPlainReason = 256;

/** In SSL's own table a reason from here on is an alert that the peer sent (SSL_AD_REASON_OFFSET). */
const alertOffset = 1000;

export const sslLibrary = 20;

interface Library {
  readonly prefix: string;
  readonly reasons: ReadonlyMap<number, string>;
}

function parse(text: string): Map<number, string> {
  const pairs = text.split(/\s+/).filter(pair => pair !== '');
  return new Map(pairs.map(pair => [Number.parseInt(pair, 10), pair.slice(pair.indexOf(':') + 1)]));
}

// Most processes never see an error of most libraries: parsed when first asked for.
const parsed = new Map<number, Library>();

function library(number: number): Library {
  let known = parsed.get(number);
  if (known === undefined) {
    const [, prefix = 'ERR_OSSL_', reasons = ''] = libraryReasons.find(([library]) => library === number) ?? [];
    known = { prefix, reasons: parse(reasons) };
    parsed.set(number, known);
  }
  return known;
}

let common: Map<number, string> | undefined;
let verifyNames: Map<number, string> | undefined;

/** A reason that the headers of the build did not know: from its text, as node:tls does. */
function nameFromText(entry: NativeErrorEntry): string {
  const name = entry.reason.toUpperCase().replace(/[^A-Z0-9]+/g, '_');
  return name === '' ? `REASON_${entry.reasonCode}` : name;
}

/** `ERR_SSL_WRONG_VERSION_NUMBER`, `ERR_OSSL_PEM_NO_START_LINE`, ... */
export function codeOfEntry(entry: NativeErrorEntry): string {
  const { prefix, reasons } = library(entry.libraryCode);
  return prefix + (isCommonReason(entry) ? commonName(entry) : (reasons.get(entry.reasonCode) ?? nameFromText(entry)));
}

function commonName(entry: NativeErrorEntry): string {
  common ??= parse(commonReasons);
  return common.get(entry.reasonCode & numberMask) ?? nameFromText(entry);
}

/** One that any library may give (ERR_R_...): less telling than a reason of its own. */
export function isCommonReason(entry: NativeErrorEntry): boolean {
  return (entry.reasonCode & commonFlag) !== 0;
}

/** ERR_R_..._LIB: says that another library failed, whose own entry says why. */
export function pointsElsewhere(entry: NativeErrorEntry): boolean {
  return isCommonReason(entry) && (entry.reasonCode & numberMask) < firstPlainReason;
}

/** The alert that the peer sent, if that is what the entry reports. */
export function alertOfEntry(entry: NativeErrorEntry): number | undefined {
  const isAlert = entry.libraryCode === sslLibrary && !isCommonReason(entry) && entry.reasonCode >= alertOffset;
  return isAlert ? entry.reasonCode - alertOffset : undefined;
}

/** The number of a name that {@link verifyResultName} gives. */
export function verifyResultCode(name: string): number | undefined {
  verifyNames ??= parse(verifyResults);
  for (const [code, known] of verifyNames) if (known === name) return code;
  return undefined;
}

/** `OK`, `CERT_HAS_EXPIRED`, ...: X509_V_... without prefix, as node:tls names them. */
export function verifyResultName(code: number): string {
  verifyNames ??= parse(verifyResults);
  return verifyNames.get(code) ?? 'UNSPECIFIED';
}
