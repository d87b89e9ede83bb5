// Waiting for what happens, with an end to the patience.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';

export { sleep, turn };

/**
 * How long, in milliseconds, what must happen may take: far longer than it does, since the machine may be busy with other work, and less
 * than mocha waits for a test.
 */
export const patience = 60_000;

/** Rejects with a text that says what did not happen. */
export async function within<T>(promise: PromiseLike<T>, what: string, milliseconds = patience): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${milliseconds} ms: ${what}`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Looks again and again; for what no event announces. */
export async function until(condition: () => boolean, what: string, milliseconds = patience, pause = 5): Promise<void> {
  const end = performance.now() + milliseconds;
  while (!condition()) {
    if (performance.now() > end) throw new Error(`not within ${milliseconds} ms: ${what}`);
    await sleep(pause);
  }
}

/**
 * What `value` comes to when it does not change any more, or as soon as it is more than `most`. It has to be the same after several
 * pauses, since a process that stood still for a while sees one of them end before anything had its turn.
 */
export async function settled(value: () => number, what: string, most = Number.POSITIVE_INFINITY): Promise<number> {
  let last = value();
  let same = 0;
  await until(
    () => {
      const now = value();
      same = now === last ? same + 1 : 0;
      last = now;
      return same >= 8 || now > most;
    },
    `${what} to settle`,
    patience,
    25,
  );
  return last;
}

export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await turn();
}

export type Outcome<T> =
  | { readonly status: 'pending' }
  | { readonly status: 'fulfilled'; readonly value: T }
  | { readonly status: 'rejected'; readonly error: unknown };

export interface Watched<T> {
  readonly promise: Promise<T>;
  readonly outcome: Outcome<T>;
}

/** Tells at any time how a promise stands, and takes care that its rejection is never unhandled. */
export function watch<T>(promise: Promise<T>): Watched<T> {
  let outcome: Outcome<T> = { status: 'pending' };
  promise.then(
    value => {
      outcome = { status: 'fulfilled', value };
    },
    error => {
      outcome = { status: 'rejected', error };
    },
  );
  return {
    promise,
    get outcome() {
      return outcome;
    },
  };
}

export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

/** A promise that the test resolves when it likes. */
export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  const promise = new Promise<T>(onResolve => {
    resolve = onResolve;
  });
  return { promise, resolve };
}
