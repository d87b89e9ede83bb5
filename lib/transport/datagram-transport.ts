// Datagrams of JavaScript's as the transport of a connection: through two memory BIOs, each behind its length.
import { Bio } from './bio.ts';

/** Makes two BIOs the transport of a connection, as that method of an Ssl. */
export type SetBio = (read: Bio, write: Bio) => void;

/** As the receive buffer of a socket: what comes when the connection has so much unread is lost. */
const inputMark = 256 * 1024;
/** Two bytes for the length. */
const prefixSize = 2;

export class DatagramTransport {
  readonly #input = Bio.memory();
  readonly #output = Bio.memory();
  readonly #send: (datagram: Buffer) => void;

  constructor(setBio: SetBio, send: (datagram: Buffer) => void) {
    this.#send = send;
    setBio(this.#input, this.#output);
    this.#output.on('readable', () => this.#flush());
  }

  /** False: it is lost. */
  receive(datagram: Uint8Array): boolean {
    if (this.#input.ended || this.#input.pending >= inputMark) return false;
    const framed = Buffer.allocUnsafe(prefixSize + datagram.length);
    framed.writeUInt16BE(datagram.length);
    framed.set(datagram, prefixSize);
    this.#input.write(framed);
    return true;
  }

  /** No datagram will come any more. */
  end(): void {
    this.#input.end();
  }

  /** Whole datagrams alone are there: a connection writes them at one go. */
  #flush(): void {
    for (let prefix = this.#next(prefixSize); prefix !== undefined; prefix = this.#next(prefixSize)) {
      const datagram = this.#next(prefix.readUInt16BE());
      if (datagram !== undefined) this.#send(datagram);
    }
  }

  #next(size: number): Buffer | undefined {
    const bytes = this.#output.read(size);
    return bytes === null || bytes.length < size ? undefined : bytes;
  }
}
