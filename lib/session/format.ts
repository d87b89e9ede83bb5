// The envelope around OpenSSL's DER: what a session must remember beside it.
//
//   4 bytes   "STLS"
//   1 byte    format version, 3
//   16 bytes  checksum: the beginning of SHA-256 of all other bytes
//   1 byte    flags: 1 the policy is known, 2 the connection insisted on verification, 4 a function without a verifyId
//             decided
//   32 bytes  digest of what the connection trusted; zeros if unknown
//   2 bytes   length of the host name, big endian; 0: unknown
//   n bytes   host name, UTF-8
//   rest      SSL_SESSION in DER
//
// The checksum finds damage, in the part too that OpenSSL takes as it comes, where a changed secret fails the handshake. It
// is no signature: who can write to the store can make another.
//
// Version 1 had neither flags nor digest, version 2 no checksum: such a session is read, and its policy is unknown.
import { createHash } from 'node:crypto';
import { tlsError } from '../base/coded-error.ts';
import type { SessionOrigin } from './policy.ts';

export interface SessionContent {
  readonly origin: SessionOrigin;
  readonly der: Uint8Array;
}

const magic = Buffer.from('STLS');
const formatVersion = 3;
const checksumAt = magic.length + 1;
const checksumLength = 16;
const flagsAt = checksumAt + checksumLength;
const digestAt = flagsAt + 1;
const digestLength = 32;

const Flag = { PolicyKnown: 1, Verified: 2, Unnamed: 4 } as const;
const knownFlags = Flag.PolicyKnown | Flag.Verified | Flag.Unnamed;

/** Where the length of the host name is, by version. */
const lengthPlaces: Readonly<Record<number, number>> = {
  1: magic.length + 1,
  2: magic.length + 2 + digestLength,
  [formatVersion]: digestAt + digestLength,
};

const invalid = (what: string): Error => tlsError('ERR_TLS_INVALID_SESSION', `the bytes are no session: ${what}`);

function checksum(bytes: Buffer): Buffer {
  const hash = createHash('sha256').update(bytes.subarray(0, checksumAt)).update(bytes.subarray(flagsAt));
  return hash.digest().subarray(0, checksumLength);
}

export function packSession({ origin, der }: SessionContent): Buffer {
  const { host, trust, verified, unnamed } = origin;
  const flags =
    (trust === null ? 0 : Flag.PolicyKnown) |
    (verified ? Flag.Verified : 0) |
    (unnamed === undefined ? 0 : Flag.Unnamed);
  const name = Buffer.from(host ?? '');
  const header = Buffer.alloc(digestAt + digestLength + 2);
  magic.copy(header);
  header.writeUInt8(formatVersion, magic.length);
  header.writeUInt8(flags, flagsAt);
  header.write(trust ?? '', digestAt, 'hex');
  header.writeUInt16BE(name.length, digestAt + digestLength);
  const bytes = Buffer.concat([header, name, der]);
  checksum(bytes).copy(bytes, checksumAt);
  return bytes;
}

type Policy = Omit<SessionOrigin, 'host'>;

const unknownPolicy: Policy = { trust: null, verified: false };

function policyOf(header: Buffer): Policy {
  const flags = header.readUInt8(flagsAt);
  if ((flags & ~knownFlags) !== 0) throw invalid('they have flags that are not known');
  if ((flags & Flag.PolicyKnown) === 0) return unknownPolicy;
  const trust = header.toString('hex', digestAt, digestAt + digestLength);
  const unnamed = (flags & Flag.Unnamed) === 0 ? undefined : 'elsewhere';
  return { trust, verified: (flags & Flag.Verified) !== 0, unnamed };
}

export function unpackSession(bytes: Uint8Array): SessionContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 0) throw invalid('there are none');
  if (!buffer.subarray(0, magic.length).equals(magic)) return { origin: { ...unknownPolicy, host: null }, der: buffer };
  if (buffer.length === magic.length) throw invalid('they end too early');
  const version = buffer.readUInt8(magic.length);
  const lengthAt = lengthPlaces[version];
  if (lengthAt === undefined) throw invalid(`format ${version} is not known to this version of system-tls`);
  if (buffer.length < lengthAt + 2) throw invalid('they end too early');
  if (version === formatVersion && !checksum(buffer).equals(buffer.subarray(checksumAt, flagsAt))) {
    throw invalid('they are not what serialize() returned (the checksum differs)');
  }
  const policy = version === formatVersion ? policyOf(buffer) : unknownPolicy;
  const begin = lengthAt + 2;
  const end = begin + buffer.readUInt16BE(lengthAt);
  if (buffer.length <= end) throw invalid('they end too early');
  const host = buffer.toString('utf8', begin, end);
  return { origin: { ...policy, host: host === '' ? null : host }, der: buffer.subarray(end) };
}
