// ClientHellos made by hand, with whatever may be in them, and what a server says to one.
import { randomBytes } from 'node:crypto';
import net from 'node:net';
import { within } from './wait.ts';

const u8 = (...values: number[]): Buffer => Buffer.from(values);
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);
const behindLength = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes]);
export const helloExtension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), behindLength(body)]);

/** Numbers of two bytes, behind their length. */
export const numberList = (numbers: readonly number[]): Buffer => behindLength(Buffer.concat(numbers.map(u16)));

/** RFC 7301 section 3.1: names behind their length. */
export function protocolList(names: ReadonlyArray<Buffer | string>): Buffer {
  return behindLength(Buffer.concat(names.flatMap(name => [u8(name.length), Buffer.from(name)])));
}

/** RFC 6066 section 3: a list of one name of type host_name. */
export function serverNameList(name: Buffer | string, type = 0): Buffer {
  return behindLength(Buffer.concat([u8(type), behindLength(Buffer.from(name))]));
}

export interface HelloParts {
  readonly version?: number;
  readonly random?: Buffer;
  readonly sessionId?: Buffer;
  readonly ciphers?: readonly number[];
  /** Undefined: there is no block of extensions. */
  readonly extensions?: readonly Buffer[] | undefined;
  /** Of DTLS: RFC 6347 section 4.2.2. */
  readonly datagram?: boolean;
}

/** The handshake message, with its header. */
export function helloMessage(parts: HelloParts = {}): Buffer {
  const { version = 0x0303, random = randomBytes(32), sessionId = u8(), ciphers = [], extensions } = parts;
  const body = Buffer.concat([
    u16(version),
    random,
    u8(sessionId.length),
    sessionId,
    ...(parts.datagram ? [u8(3, 1, 2, 3)] : []),
    numberList(ciphers),
    u8(1, 0),
    ...(extensions === undefined ? [] : [behindLength(Buffer.concat(extensions))]),
  ]);
  const length = Buffer.concat([u8(0), u16(body.length)]);
  const header = parts.datagram ? [u8(1), length, u8(0, 0, 0, 0, 0), length] : [u8(1), length];
  return Buffer.concat([...header, body]);
}

/**
 * A record that a server of TLS 1.2 can answer.
 *
 * @param serverName - the body of the extension; absent: none
 */
export function clientHello(serverName?: Buffer, more: readonly Buffer[] = []): Buffer {
  const message = helloMessage({
    ciphers: [0xc02b, 0xc02f, 0xc02c, 0xc030, 0x00ff],
    extensions: [
      ...(serverName === undefined ? [] : [helloExtension(0, serverName)]),
      // x25519 and P-256; uncompressed points; ECDSA and RSA with SHA-256.
      helloExtension(10, numberList([0x1d, 0x17])),
      helloExtension(11, u8(1, 0)),
      helloExtension(13, numberList([0x0403, 0x0804, 0x0401])),
      ...more,
    ],
  });
  return Buffer.concat([u8(22, 3, 1), behindLength(message)]);
}

async function firstRecord(port: number, hello: Buffer): Promise<Buffer> {
  const socket = net.connect(port, '127.0.0.1');
  try {
    socket.write(hello);
    let got = Buffer.alloc(0);
    const record = new Promise<Buffer>((resolve, reject) => {
      socket.on('data', chunk => {
        got = Buffer.concat([got, chunk]);
        if (got.length >= 5 && got.length >= 5 + got.readUInt16BE(3)) resolve(got.subarray(0, 5 + got.readUInt16BE(3)));
      });
      socket.on('close', () => reject(new Error(`the server closed the connection after ${got.length} bytes`)));
      socket.on('error', reject);
    });
    return await within(record, 'an answer');
  } finally {
    socket.destroy();
  }
}

/** `'ServerHello'`, or the number of the alert. */
export async function answerTo(port: number, hello: Buffer): Promise<'ServerHello' | number> {
  const record = await firstRecord(port, hello);
  return record[0] === 21 ? (record[6] as number) : 'ServerHello';
}

/** The types of the extensions in the ServerHello. */
export async function serverExtensions(port: number, hello: Buffer): Promise<number[]> {
  const record = await firstRecord(port, hello);
  // Behind the headers of record and message: version, random, session id, cipher, compression.
  let at = 5 + 4 + 2 + 32;
  at += 1 + (record[at] ?? 0) + 2 + 1;
  const end = at + 2 + record.readUInt16BE(at);
  const types: number[] = [];
  for (at += 2; at < end; at += 4 + record.readUInt16BE(at + 2)) types.push(record.readUInt16BE(at));
  return types;
}
