// Something other than a chunk that has its place among the writes of a stream.
import { onAbort } from '../base/abort-listeners.ts';
import { abortError } from '../base/coded-error.ts';

export type WriteCallback = (error?: Error | null) => void;
export type Chunk = { readonly chunk: Buffer };

/** What the stream does to write a chunk. */
type Write = (marker: Buffer, callback: WriteCallback) => void;
type Send = (chunks: readonly Chunk[], callback: WriteCallback) => void;

/** An empty chunk stands in the stream's queue for each. */
export class WriteTurns {
  readonly #turns = new WeakMap<Buffer, (done: WriteCallback) => void>();

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

  /** Writes `chunks` with `send`, and stops at each that stands for a turn. */
  send(chunks: readonly Chunk[], send: Send, callback: WriteCallback): void {
    const at = chunks.findIndex(({ chunk }) => chunk.length === 0 && this.#turns.has(chunk));
    const marker = chunks[at]?.chunk;
    const turn = marker === undefined ? undefined : this.#turns.get(marker);
    if (turn === undefined) {
      send(chunks, callback);
      return;
    }
    const rest = chunks.slice(at + 1);
    const goOn: WriteCallback = error => {
      if (error || rest.length === 0) callback(error);
      else this.send(rest, send, callback);
    };
    if (at === 0) turn(goOn);
    else send(chunks.slice(0, at), error => (error ? callback(error) : turn(goOn)));
  }
}
