// The envelope around OpenSSL's DER: what a session must remember beside it.
//
//   4 bytes  "STLS"
//   1 byte   format version, 1
//   2 bytes  length of the host name, big endian; 0: unknown
//   n bytes  host name, UTF-8
//   rest     SSL_SESSION in DER
import { tlsError } from './coded-error.ts';

export interface SessionContent {
  readonly host: string | null;
  readonly der: Uint8Array;
}

const magic = Buffer.from('STLS');
const formatVersion = 1;
const headerLength = magic.length + 1 + 2;

const invalid = (what: string): Error => tlsError('ERR_TLS_INVALID_SESSION', `the bytes are no session: ${what}`);

export function packSession({ host, der }: SessionContent): Buffer {
  const name = Buffer.from(host ?? '');
  const header = Buffer.alloc(headerLength);
  magic.copy(header);
  header.writeUInt8(formatVersion, magic.length);
  header.writeUInt16BE(name.length, magic.length + 1);
  return Buffer.concat([header, name, der]);
}

export function unpackSession(bytes: Uint8Array): SessionContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length === 0) throw invalid('there are none');
  if (!buffer.subarray(0, magic.length).equals(magic)) return { host: null, der: buffer };
  if (buffer.length < headerLength) throw invalid('they end too early');
  const version = buffer.readUInt8(magic.length);
  if (version !== formatVersion) throw invalid(`format ${version} is not known to this version of system-tls`);
  const end = headerLength + buffer.readUInt16BE(magic.length + 1);
  if (buffer.length <= end) throw invalid('they end too early');
  const host = buffer.toString('utf8', headerLength, end);
  return { host: host === '' ? null : host, der: buffer.subarray(end) };
}
