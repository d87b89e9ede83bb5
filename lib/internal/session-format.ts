// The envelope around OpenSSL's DER: what a session must remember beside it.
//
//   4 bytes   "STLS"
//   1 byte    format version, 2
//   1 byte    flags: 1 the policy is known, 2 the connection insisted on verification
//   32 bytes  digest of what the connection trusted; zeros if unknown
//   2 bytes   length of the host name, big endian; 0: unknown
//   n bytes   host name, UTF-8
//   rest      SSL_SESSION in DER
//
// Version 1 had neither flags nor digest: such a session is read, and its policy is unknown.
import { tlsError } from './coded-error.ts';
import type { SessionOrigin } from './session-policy.ts';

export interface SessionContent {
  readonly origin: SessionOrigin;
  readonly der: Uint8Array;
}

const magic = Buffer.from('STLS');
const formatVersion = 2;
const flagsAt = magic.length + 1;
const digestAt = flagsAt + 1;
const digestLength = 32;

const Flag = { PolicyKnown: 1, Verified: 2 } as const;

const invalid = (what: string): Error => tlsError('ERR_TLS_INVALID_SESSION', `the bytes are no session: ${what}`);

export function packSession({ origin, der }: SessionContent): Buffer {
  const { host, trust, verified } = origin;
  const name = Buffer.from(host ?? '');
  const header = Buffer.alloc(digestAt + digestLength + 2);
  magic.copy(header);
  header.writeUInt8(formatVersion, magic.length);
  header.writeUInt8((trust === null ? 0 : Flag.PolicyKnown) | (verified ? Flag.Verified : 0), flagsAt);
  header.write(trust ?? '', digestAt, 'hex');
  header.writeUInt16BE(name.length, digestAt + digestLength);
  return Buffer.concat([header, name, der]);
}

type Policy = Omit<SessionOrigin, 'host'>;

const unknownPolicy: Policy = { trust: null, verified: false };

function policyOf(header: Buffer): Policy {
  const flags = header.readUInt8(flagsAt);
  if ((flags & ~(Flag.PolicyKnown | Flag.Verified)) !== 0) throw invalid('they have flags that are not known');
  if ((flags & Flag.PolicyKnown) === 0) return unknownPolicy;
  const trust = header.toString('hex', digestAt, digestAt + digestLength);
  return { trust, verified: (flags & Flag.Verified) !== 0 };
}

export function unpackSession(bytes: Uint8Array): SessionContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 0) throw invalid('there are none');
  if (!buffer.subarray(0, magic.length).equals(magic)) return { origin: { ...unknownPolicy, host: null }, der: buffer };
  if (buffer.length === magic.length) throw invalid('they end too early');
  const version = buffer.readUInt8(magic.length);
  if (version !== 1 && version !== formatVersion)
    throw invalid(`format ${version} is not known to this version of system-tls`);
  const lengthAt = version === 1 ? flagsAt : digestAt + digestLength;
  if (buffer.length < lengthAt + 2) throw invalid('they end too early');
  const policy = version === 1 ? unknownPolicy : policyOf(buffer);
  const begin = lengthAt + 2;
  const end = begin + buffer.readUInt16BE(lengthAt);
  if (buffer.length <= end) throw invalid('they end too early');
  const host = buffer.toString('utf8', begin, end);
  return { origin: { ...policy, host: host === '' ? null : host }, der: buffer.subarray(end) };
}
