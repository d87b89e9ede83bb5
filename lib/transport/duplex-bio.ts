// A transport written in JavaScript: a Duplex and one end of a BIO pair, whose other end a connection has. The pair is
// bounded, so that who is slow makes the other side wait, in both directions.
import type { Duplex } from 'node:stream';
import type { NativeBio } from '../../types/binding.d.ts';
import { throwLater } from './dispatch.ts';

/** Bytes that fit into the pair, each way. */
export const duplexBioSize = 64 * 1024;
/** Milliseconds that a Duplex has to send what was written last, before it is destroyed. */
const lingerTime = 2_000;

export class DuplexBio {
  readonly #duplex: Duplex;
  readonly #end: NativeBio;
  readonly #close: boolean;
  /** What came out of the Duplex and did not fit into the pair. */
  #rest: Uint8Array | undefined;
  #inputEnded = false;
  /** Its input failed, and did not only end. */
  #broken = false;
  #blocked = false;
  /** Writes that the Duplex has not called back, and who waits for them. */
  #writing = 0;
  readonly #waiting: ((lost: boolean) => void)[] = [];
  /** A write failed. */
  #lost = false;
  #released = false;
  #orderly = true;
  /** What the Duplex failed with: closer to the cause than what a connection makes of it. */
  error: Error | null = null;

  /** @param close - whether the Duplex is ended and destroyed with the connection */
  constructor(duplex: Duplex, end: NativeBio, close: boolean) {
    this.#duplex = duplex;
    this.#end = end;
    this.#close = close;
    end.onReadable(() => guarded(() => this.#send()));
    end.onDrained(() => guarded(() => this.#offer()));
    duplex.on('data', this.#onData).on('end', this.#onEnd).on('close', this.#onClose);
    duplex.on('drain', this.#onDrain).on('error', this.#onError);
    if (duplex.destroyed) this.#onClose();
    else if (duplex.readableEnded) this.#onEnd();
    else duplex.resume();
  }

  readonly #onData = (chunk: unknown): void => {
    if (!(chunk instanceof Uint8Array)) {
      this.#onError(new TypeError('a Duplex that carries TLS must give bytes: no encoding, no objects'));
      return;
    }
    // Some streams go on for a while after pause().
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#offer();
  };

  readonly #onEnd = (): void => {
    this.#inputEnded = true;
    this.#offer();
  };

  readonly #onClose = (): void => {
    this.#end.ignore();
    this.#tellWaiting();
    this.#onEnd();
  };

  readonly #onError = (error: Error): void => {
    this.error ??= error;
    if (!this.#inputEnded) this.#broken = true;
    this.#onClose();
  };

  readonly #onDrain = (): void => {
    this.#blocked = false;
    this.#send();
  };

  readonly #onWritten = (error?: Error | null): void => {
    this.#writing--;
    // 'error' follows, or 'close': they tell who waits.
    if (error) this.#lost = true;
    else if (this.#writing === 0) this.#tellWaiting();
  };

  #tellWaiting(): void {
    for (const callback of this.#waiting.splice(0)) callback(this.#hasLost);
  }

  get #hasLost(): boolean {
    return this.#lost || this.#writing > 0;
  }

  /** Calls back when the Duplex has taken all that it was given so far, or is gone, and has lost some of it. */
  onceWritten(callback: (lost: boolean) => void): void {
    if (this.#writing === 0 || this.#duplex.destroyed) callback(this.#hasLost);
    else this.#waiting.push(callback);
  }

  /** Towards the connection. */
  #offer(): void {
    if (this.#released) return;
    if (this.#rest !== undefined) {
      const taken = this.#end.write(this.#rest);
      this.#rest = taken === this.#rest.length ? undefined : this.#rest.subarray(taken);
    }
    if (this.#rest !== undefined) this.#duplex.pause();
    else if (this.#inputEnded) this.#end.end(this.#broken);
    else if (this.#duplex.isPaused()) this.#duplex.resume();
  }

  /** Towards the peer. */
  #send(): void {
    // A connection that is gone waits for nobody.
    while (!this.#released && (!this.#blocked || this.#end.farEnded)) {
      const piece = this.#end.read(duplexBioSize);
      if (piece === null) return;
      if (piece.length === 0) this.#release();
      else if (this.#duplex.writable) this.#write(piece);
      else this.#end.ignore();
    }
  }

  /** A _write() that throws does so here, and its stream tells nobody. */
  #write(piece: Uint8Array): void {
    try {
      this.#writing++;
      this.#blocked = !this.#duplex.write(piece, this.#onWritten);
    } catch (error) {
      // What it counts as being written never ends.
      this.#orderly = false;
      this.#onError(error instanceof Error ? error : new Error('the Duplex threw what is no Error', { cause: error }));
    }
  }

  /**
   * For an owner that does not wait for the turn in which the end of the connection is told.
   *
   * @param orderly - what was written last has time to be sent
   */
  close(orderly: boolean): void {
    this.#orderly &&= orderly;
    this.#send();
  }

  /** The connection is closed, and has said all that it had to say. */
  #release(): void {
    this.#released = true;
    this.#end.close();
    const duplex = this.#duplex;
    duplex.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onClose).off('drain', this.#onDrain);
    if (!this.#close) {
      duplex.off('error', this.#onError);
      duplex.pause();
    } else if (duplex.writable && this.#orderly) endSoon(duplex);
    else duplex.destroy();
  }
}

/** A peer that does not take what was written last cannot keep the Duplex open. */
function endSoon(duplex: Duplex): void {
  const timer = setTimeout(() => duplex.destroy(), lingerTime).unref();
  duplex.end(() => {
    clearTimeout(timer);
    duplex.destroy();
  });
}

/** The user's stream may throw; that is nothing to tell native code. */
function guarded(action: () => void): void {
  try {
    action();
  } catch (error) {
    throwLater(error);
  }
}
