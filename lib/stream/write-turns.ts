// Something other than a chunk that has its place among the writes of a stream.
import { onAbort } from '../base/abort-listeners.ts';
import { abortError } from '../base/coded-error.ts';
import type { Piece } from './pieces.ts';

export type WriteCallback = (error?: Error | null) => void;

type Turn = (done: WriteCallback) => void;

/** What the stream does to write a chunk. */
type Write = (marker: Buffer, callback: WriteCallback) => void;
type Send = (pieces: readonly Piece[], callback: WriteCallback) => void;

/** An empty chunk stands in the stream's queue for each. */
export class WriteTurns {
  readonly #turns = new WeakMap<Buffer, Turn>();

  /**
   * Waits until all that was written before is taken.
   *
   * @returns what lets the writes go on that came after
   */
  take(write: Write, signal: AbortSignal): Promise<WriteCallback> {
    return new Promise((resolve, reject) => {
      const marker = Buffer.alloc(0);
      const detach = onAbort(signal, () => {
        this.#turns.set(marker, done => done());
        reject(abortError(signal));
      });
      this.#turns.set(marker, done => {
        detach();
        resolve(done);
      });
      write(marker, error => {
        detach();
        if (error) reject(error);
      });
    });
  }

  /** Writes `pieces` with `send`, and stops at each that stands for a turn. */
  send(pieces: readonly Piece[], send: Send, callback: WriteCallback): void {
    const at = pieces.findIndex(({ chunk }) => this.#turnOf(chunk) !== undefined);
    const turn = this.#turnOf(pieces[at]?.chunk);
    if (turn === undefined) {
      send(pieces, callback);
      return;
    }
    const rest = pieces.slice(at + 1);
    const goOn: WriteCallback = error => {
      if (error || rest.length === 0) callback(error);
      else this.send(rest, send, callback);
    };
    if (at === 0) turn(goOn);
    else send(pieces.slice(0, at), error => (error ? callback(error) : turn(goOn)));
  }

  #turnOf(chunk: Piece['chunk'] | undefined): Turn | undefined {
    return typeof chunk === 'object' && chunk.length === 0 ? this.#turns.get(chunk) : undefined;
  }
}
