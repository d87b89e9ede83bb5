// Fingerprints of clients by their ClientHello.
import { createHash } from 'node:crypto';
import type { ClientHello } from './client-hello.ts';
import { signatureSchemeNumber } from './signature-schemes.ts';

const [serverName, ecPointFormats, alpn] = [0, 11, 16] as const;

/** RFC 8701: 0x0a0a, 0x1a1a, ... */
const isGrease = (number: number): boolean => (number & 0x0f0f) === 0x0a0a && number >> 8 === (number & 0xff);
const withoutGrease = (list: readonly number[]): number[] => list.filter(each => !isGrease(each));

const hex4 = (number: number): string => number.toString(16).padStart(4, '0');

const extensionTypes = ({ extensions }: ClientHello): number[] => withoutGrease(extensions.map(({ type }) => type));

function pointFormats({ extensions }: ClientHello): readonly number[] {
  const data = extensions.find(({ type }) => type === ecPointFormats)?.data;
  return data === undefined ? [] : [...data.subarray(1, 1 + (data[0] ?? 0))];
}

/**
 * JA3, before it is hashed: version, ciphers, extensions, groups and point formats.
 *
 * @see https://github.com/salesforce/ja3
 */
export function ja3Text(hello: ClientHello): string {
  const parts = [
    [hello.version],
    withoutGrease(hello.ciphers),
    extensionTypes(hello),
    withoutGrease(hello.groups),
    pointFormats(hello),
  ];
  return parts.map(part => part.join('-')).join(',');
}

/** JA3: the MD5 of {@link ja3Text}, in hexadecimal. Clients that shuffle their extensions have a new one each time. */
export function ja3(hello: ClientHello): string {
  return createHash('md5').update(ja3Text(hello)).digest('hex');
}

const versionNames: ReadonlyMap<number, string> = new Map([
  [0x0304, '13'],
  [0x0303, '12'],
  [0x0302, '11'],
  [0x0301, '10'],
  [0x0300, 's3'],
  [0x0002, 's2'],
  [0xfeff, 'd1'],
  [0xfefd, 'd2'],
  [0xfefc, 'd3'],
]);

/** Newer versions of DTLS have lower numbers. */
function newest(versions: readonly number[]): number | undefined {
  const [datagram, stream] = [versions.filter(each => each >= 0xfe00), versions.filter(each => each < 0xfe00)];
  return datagram.length > 0 ? Math.min(...datagram) : stream.length > 0 ? Math.max(...stream) : undefined;
}

const isAlphanumeric = (byte: number): boolean =>
  (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x5a) || (byte >= 0x61 && byte <= 0x7a);

/** First and last character of the first protocol; where one is none, first and last digit of its bytes. */
function alpnMark(protocol: string | undefined): string {
  if (protocol === undefined || protocol === '') return '00';
  const bytes = Buffer.from(protocol, 'latin1');
  const ends = [bytes[0] as number, bytes.at(-1) as number] as const;
  if (ends.every(isAlphanumeric)) return String.fromCharCode(...ends);
  const digits = bytes.toString('hex');
  return `${digits[0]}${digits.at(-1)}`;
}

const count = (list: readonly unknown[]): string => String(Math.min(list.length, 99)).padStart(2, '0');

const shortHash = (text: string): string =>
  text === '' ? '000000000000' : createHash('sha256').update(text).digest('hex').slice(0, 12);

/** The three parts of JA4, before the last two are hashed. */
function ja4Parts(hello: ClientHello): [start: string, ciphers: string, extensions: string] {
  const isDatagram = hello.version >= 0xfe00;
  const version = versionNames.get(newest(withoutGrease(hello.supportedVersions)) ?? hello.version) ?? '00';
  const ciphers = withoutGrease(hello.ciphers);
  const types = extensionTypes(hello);
  const start = [
    isDatagram ? 'd' : 't',
    version,
    types.includes(serverName) ? 'd' : 'i',
    count(ciphers),
    count(types),
    alpnMark(hello.alpn[0]),
  ].join('');
  const sorted = types
    .filter(type => type !== serverName && type !== alpn)
    .map(hex4)
    .sort();
  const schemes = withoutGrease(hello.signatureAlgorithms.map(signatureSchemeNumber)).map(hex4);
  const extensions = schemes.length === 0 ? sorted.join(',') : `${sorted.join(',')}_${schemes.join(',')}`;
  return [start, ciphers.map(hex4).sort().join(','), sorted.length === 0 && schemes.length === 0 ? '' : extensions];
}

/** JA4_r: {@link ja4} without its hashes. */
export function ja4Text(hello: ClientHello): string {
  return ja4Parts(hello).join('_');
}

/**
 * JA4: `'t13d1516h2_8daaf6152771_e5627efa2ab1'`. It does not change with the order of ciphers and extensions.
 *
 * @see https://github.com/FoxIO-LLC/ja4
 */
export function ja4(hello: ClientHello): string {
  const [start, ciphers, extensions] = ja4Parts(hello);
  return [start, shortHash(ciphers), shortHash(extensions)].join('_');
}
