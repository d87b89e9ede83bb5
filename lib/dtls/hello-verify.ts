// The cookie exchange of DTLS (RFC 6347 section 4.2.1): a client must show that it receives what is sent to its address
// before anything is kept about it. DTLSv1_listen(3) does the same with a whole SSL for each socket.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { DatagramPeer } from '../transport/datagram-socket.ts';

export interface ClientHello {
  /** Of its record, which the answer repeats. */
  readonly sequence: Buffer;
  readonly random: Buffer;
  readonly cookie: Buffer;
  /** What is the same in the ClientHello that brings the cookie back: version, random, session id. */
  readonly bound: Buffer;
}

// ContentType, ProtocolVersion and HandshakeType; the lengths of the headers of records and of handshake messages.
const handshake = 22;
const majorVersion = 0xfe;
const clientHello = 1;
const helloVerifyRequest = 3;
const recordHeader = 13;
const messageHeader = 12;
const randomSize = 32;

/** The first ClientHello of an association, or the first fragment of one; undefined for anything else. */
export function parseClientHello(datagram: Buffer): ClientHello | undefined {
  const body = recordHeader + messageHeader;
  const random = body + 2;
  const sessionId = random + randomSize;
  if (datagram.length <= sessionId) return undefined;
  const first = datagram[0] === handshake && datagram[1] === majorVersion && datagram.readUInt16BE(3) === 0;
  if (!first || datagram[recordHeader] !== clientHello || datagram.readUIntBE(recordHeader + 6, 3) !== 0) {
    return undefined;
  }
  const record = datagram.subarray(0, recordHeader + datagram.readUInt16BE(11));
  if (record.length !== recordHeader + datagram.readUInt16BE(11) || record.length <= sessionId) return undefined;
  const cookie = sessionId + 1 + (record[sessionId] as number);
  if (record.length <= cookie || record.length < cookie + 1 + (record[cookie] as number)) return undefined;
  return {
    sequence: record.subarray(5, 11),
    random: record.subarray(random, sessionId),
    cookie: record.subarray(cookie + 1, cookie + 1 + (record[cookie] as number)),
    bound: record.subarray(body, cookie),
  };
}

/** HelloVerifyRequest; its version is that of DTLS 1.0, whatever comes to be negotiated. */
export function makeHelloVerifyRequest({ sequence }: ClientHello, cookie: Buffer): Buffer {
  const length = 3 + cookie.length;
  const datagram = Buffer.alloc(recordHeader + messageHeader + length);
  datagram[0] = handshake;
  datagram.writeUInt16BE(0xfeff, 1);
  datagram.set(sequence, 5);
  datagram.writeUInt16BE(messageHeader + length, 11);
  datagram[recordHeader] = helloVerifyRequest;
  datagram.writeUIntBE(length, recordHeader + 1, 3);
  datagram.writeUIntBE(length, recordHeader + 9, 3);
  const body = recordHeader + messageHeader;
  datagram.writeUInt16BE(0xfeff, body);
  datagram[body + 2] = cookie.length;
  datagram.set(cookie, body + 3);
  return datagram;
}

/** Milliseconds after which cookies are made with another secret; those made with the last one are still taken. */
const rotation = 60_000;
const secretSize = 32;

/** Cookies that prove themselves: nothing is remembered of those to whom they were given. */
export class Cookies {
  readonly #now: () => number;
  #secret = randomBytes(secretSize);
  #previous = randomBytes(secretSize);
  #since: number;

  /** @param now - milliseconds of a clock that never goes back */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#since = now();
  }

  make(hello: ClientHello, peer: DatagramPeer): Buffer {
    this.#rotate();
    return cookieOf(this.#secret, hello, peer);
  }

  verify(hello: ClientHello, peer: DatagramPeer): boolean {
    this.#rotate();
    return [this.#secret, this.#previous].some(secret => {
      const cookie = cookieOf(secret, hello, peer);
      return cookie.length === hello.cookie.length && timingSafeEqual(cookie, hello.cookie);
    });
  }

  #rotate(): void {
    const age = this.#now() - this.#since;
    if (age < rotation) return;
    // Nobody came for so long that the last one is too old as well.
    this.#previous = age < 2 * rotation ? this.#secret : randomBytes(secretSize);
    this.#secret = randomBytes(secretSize);
    this.#since = this.#now();
  }
}

function cookieOf(secret: Buffer, { bound }: ClientHello, { address, port }: DatagramPeer): Buffer {
  return createHmac('sha256', secret).update(`${address} ${port} `).update(bound).digest();
}
