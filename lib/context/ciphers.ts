// node:tls has one option for two lists that OpenSSL keeps apart.
import { invalidArgValue } from '../base/coded-error.ts';
import { validateString, validateText } from '../base/validate.ts';
import { tls12, tls13, type VersionRange } from './versions.ts';

export interface Ciphers {
  /** TLS 1.2 and older: SSL_CTX_set_cipher_list(3). */
  readonly cipherList?: string;
  /** TLS 1.3: SSL_CTX_set_ciphersuites(3). */
  readonly ciphersuites?: string;
  readonly versions: VersionRange;
}

const isSuite = (name: string): boolean => name.startsWith('TLS_');

/** The two lists of which `value` is made, each absent if it names nothing of its kind. */
export function cipherLists(value: unknown, name: string): Omit<Ciphers, 'versions'> {
  validateString(value, name);
  const names = validateText(value, name)
    .split(':')
    .filter(each => each !== '');
  if (names.length === 0) throw invalidArgValue(name, 'must name at least one cipher', value);
  const suites = names.filter(isSuite);
  const older = names.filter(each => !isSuite(each));
  return {
    ...(older.length > 0 && { cipherList: older.join(':') }),
    ...(suites.length > 0 && { ciphersuites: suites.join(':') }),
  };
}

/**
 * Splits the option. A list with names of one kind only leaves only the versions that know this kind: who names
 * `ECDHE-RSA-AES128-GCM-SHA256` alone does not get a TLS 1.3 cipher that was not asked for. (node:tls 20 does the same with
 * suites alone, and keeps its own suites beside older ciphers.)
 */
export function splitCiphers(value: unknown, versions: VersionRange): Ciphers {
  if (value === undefined || value === null) return { versions };
  const lists = cipherLists(value, 'options.ciphers');
  const { cipherList, ciphersuites } = lists;
  return { ...lists, versions: narrowed(versions, cipherList !== undefined, ciphersuites !== undefined) };
}

function narrowed({ min, max }: VersionRange, older: boolean, suites: boolean): VersionRange {
  if (!older && (max === 0 || max >= tls13)) return { min: Math.max(min, tls13), max };
  if (!suites && min < tls13) return { min, max: max === 0 ? tls12 : Math.min(max, tls12) };
  return { min, max };
}
