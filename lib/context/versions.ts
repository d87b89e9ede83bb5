import { tlsError } from '../base/coded-error.ts';
import type { Method } from './methods.ts';

/** Protocol versions that this package speaks over streams; and, with a method of DTLS, over datagrams. */
export type TlsVersion = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3' | 'DTLSv1' | 'DTLSv1.2';

/** TLS1_VERSION and so on of <openssl/prov_ssl.h>. */
const numbers: ReadonlyMap<unknown, number> = new Map([
  ['TLSv1', 0x301],
  ['TLSv1.1', 0x302],
  ['TLSv1.2', 0x303],
  ['TLSv1.3', 0x304],
]);

const datagramNumbers: ReadonlyMap<unknown, number> = new Map([
  ['DTLSv1', 0xfeff],
  ['DTLSv1.2', 0xfefd],
]);

const reasons: ReadonlyMap<unknown, string> = new Map([
  ['SSLv2', 'SSL 2.0 is broken (RFC 6176) and OpenSSL has not had it since 1.1.0'],
  ['SSLv3', 'SSL 3.0 is broken (RFC 7568) and OpenSSL as systems ship it is built without'],
  ['SSLv23', 'it was a name for "any version": omit minVersion and maxVersion'],
  ['TLS', 'it was a name for "any version": omit minVersion and maxVersion'],
]);

export const tls12 = 0x303;
export const tls13 = 0x304;
const dtls12 = 0xfefd;

const invalid = (message: string): Error => tlsError('ERR_TLS_INVALID_PROTOCOL_VERSION', message);

/** The number of a version; undefined stays undefined. */
export function versionNumber(value: unknown, name: string, dtls = false): number | undefined {
  if (value === undefined || value === null) return undefined;
  const [own, other] = dtls ? [datagramNumbers, numbers] : [numbers, datagramNumbers];
  const number = own.get(value);
  if (number !== undefined) return number;
  const use = dtls ? "'DTLSv1.2'" : "'TLSv1.2' or 'TLSv1.3'";
  const foreign = other.has(value) ? `"options.method" is ${dtls ? 'of' : 'not of'} DTLS` : undefined;
  const why = foreign ?? reasons.get(value) ?? 'no such version';
  throw invalid(`"${name}" is ${JSON.stringify(value) ?? typeof value}: ${why}; use ${use}`);
}

/** Newer versions of DTLS have lower numbers. */
const leaveNone = (min: number, max: number, dtls: boolean): boolean => (dtls ? max > min : max < min);

/** Bounds that were given beside each other, where each may be absent. */
export function givenVersions(
  { minVersion, maxVersion }: { readonly minVersion?: unknown; readonly maxVersion?: unknown },
  name: string,
  dtls: boolean,
): { readonly minVersion: number | undefined; readonly maxVersion: number | undefined } {
  const min = versionNumber(minVersion, `${name}.minVersion`, dtls);
  const max = versionNumber(maxVersion, `${name}.maxVersion`, dtls);
  if (min !== undefined && max !== undefined && leaveNone(min, max, dtls)) {
    throw invalid(`"${name}.maxVersion" '${maxVersion}' is below minVersion: they leave no version`);
  }
  return { minVersion: min, maxVersion: max };
}

export interface VersionRange {
  /** 0: whatever the library allows. */
  readonly min: number;
  readonly max: number;
}

/** Whether a version before TLS 1.3 is among them: DTLS 1.2, of which OpenSSL has no successor, is one too. */
export const hasOlder = ({ min }: VersionRange, { dtls }: Method): boolean => dtls || min < tls13;

/** From TLS 1.2 on, unless the options or the method say otherwise. */
export function versionRange(options: { minVersion?: unknown; maxVersion?: unknown }, method: Method): VersionRange {
  if (method.version !== undefined) return fixedVersion(options, method.version);
  const { dtls } = method;
  const min = versionNumber(options.minVersion, 'options.minVersion', dtls) ?? (dtls ? dtls12 : tls12);
  const max = versionNumber(options.maxVersion, 'options.maxVersion', dtls) ?? 0;
  if (max !== 0 && leaveNone(min, max, dtls)) {
    const lowest = dtls ? 'DTLSv1.2' : 'TLSv1.2';
    const advice =
      options.minVersion === undefined ? `it is '${lowest}' by default: set it too` : 'they leave no version';
    throw invalid(`"options.maxVersion" '${options.maxVersion}' is below minVersion: ${advice}`);
  }
  return { min, max };
}

function fixedVersion({ minVersion, maxVersion }: { minVersion?: unknown; maxVersion?: unknown }, version: number) {
  if ((minVersion ?? maxVersion) === undefined || (minVersion ?? maxVersion) === null) {
    return { min: version, max: version };
  }
  throw tlsError(
    'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
    '"options.method" names one version, and minVersion or maxVersion another bound: ' +
      "omit one of them; the method 'TLS' takes bounds",
  );
}

/** node:tls's old way to choose a version. */
export function refuseSecureProtocol(value: unknown): void {
  if (value === undefined || value === null) return;
  throw tlsError(
    'ERR_TLS_PROTOCOL_VERSION_CONFLICT',
    `"options.secureProtocol" (${JSON.stringify(value) ?? typeof value}) is not supported: ` +
      'use minVersion and maxVersion, or the option method with the name of the method',
  );
}
