import { onAbort } from '../base/abort-listeners.ts';
import { abortError } from '../base/coded-error.ts';

/** Work that is done in the order in which it was asked for, one piece after the other ended. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** An abort rejects at once; work that has not begun is not begun then, work that has must heed the signal itself. */
  run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last;
    const done = new Promise<T>((resolve, reject) => {
      const give = (): void => reject(abortError(signal));
      const detach = onAbort(signal, give);
      const begin = async (): Promise<T> => {
        if (signal.aborted) throw abortError(signal);
        return work();
      };
      // What comes after must wait for the work itself, not for the promise that an abort settled.
      this.#last = before.then(begin).then(resolve, reject).finally(detach);
    });
    return done;
  }
}
