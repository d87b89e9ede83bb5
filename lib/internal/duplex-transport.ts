// Any Duplex as the transport of a connection: bytes are pumped between it and two memory BIOs.
import type { Duplex } from 'node:stream';
import { Bio } from '../bio.ts';
import type { Ssl } from '../ssl.ts';

/** Ciphertext that may wait for the connection before the Duplex is told to wait. */
const inputMark = 256 * 1024;
/** Ciphertext that may wait for the Duplex before writers are told to wait: within one turn it takes nothing yet. */
const outputMark = 64 * 1024;
const pieceSize = 64 * 1024;
/** Milliseconds that a Duplex has to send what was written last, before it is destroyed. */
const lingerTime = 2_000;

export class DuplexTransport {
  readonly #duplex: Duplex;
  readonly #input = Bio.memory();
  readonly #output = Bio.memory();
  readonly #waiting: (() => void)[] = [];
  #blocked = false;
  #closed = false;
  /** What the Duplex failed with: closer to the cause than what the connection makes of it. */
  error: Error | null = null;

  constructor(duplex: Duplex, ssl: Ssl) {
    this.#duplex = duplex;
    ssl.setBio(this.#input, this.#output);
    this.#output.on('readable', () => this.#flush());
    duplex.on('data', chunk => this.#received(chunk));
    duplex.on('end', () => this.#ended());
    duplex.on('close', () => this.#ended());
    duplex.on('drain', () => this.#drained());
    duplex.on('error', error => this.#failed(error));
  }

  /** Continues what {@link inputMark} stopped, once the connection has read on. */
  resumeInput(): void {
    if (this.#duplex.isPaused() && !this.#closed && this.#input.pending < inputMark) this.#duplex.resume();
  }

  /** Calls back when the Duplex takes more. */
  whenReady(callback: () => void): void {
    if (this.#blocked || this.#output.pending >= outputMark) this.#waiting.push(callback);
    else callback();
  }

  /**
   * Destroys the Duplex: at once, or after an orderly end as soon as it has sent what the connection wrote last. A peer
   * that does not take it cannot keep it open.
   */
  close(orderly: boolean): void {
    if (this.#closed) return;
    // Nobody waits for a drain any more.
    do {
      this.#blocked = false;
      this.#pump();
    } while (this.#blocked);
    this.#closed = true;
    this.#release();
    const duplex = this.#duplex;
    if (!orderly || !duplex.writable) {
      duplex.destroy();
      return;
    }
    const timer = setTimeout(() => duplex.destroy(), lingerTime).unref();
    duplex.end(() => {
      clearTimeout(timer);
      duplex.destroy();
    });
  }

  #received(chunk: unknown): void {
    if (this.#closed) return;
    if (chunk instanceof Uint8Array) this.#input.write(chunk);
    else this.#failed(new TypeError('the transport must carry bytes: no encoding'));
    if (this.#input.pending >= inputMark) this.#duplex.pause();
  }

  #ended(): void {
    if (!this.#input.ended) this.#input.end();
    // The other direction may be open still; if it is not, its own error says so.
    this.#drained();
  }

  #failed(error: Error): void {
    this.error ??= error;
    this.#ended();
  }

  #pump(): void {
    while (!this.#blocked && !this.#closed && this.#duplex.writable) {
      const piece = this.#output.read(pieceSize);
      if (piece === null || piece.length === 0) return;
      this.#blocked = !this.#duplex.write(piece);
    }
  }

  #drained(): void {
    this.#blocked = false;
    this.#flush();
  }

  #flush(): void {
    this.#pump();
    if (!this.#blocked) this.#release();
  }

  #release(): void {
    for (const callback of this.#waiting.splice(0)) callback();
  }
}
