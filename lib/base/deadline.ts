import { onAbort } from './abort-listeners.ts';
import { tlsError } from './coded-error.ts';

/** A time by which all of something must be done, made of the limits that its user gave. */
export class Deadline {
  readonly #end: number;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #detach: (() => void) | undefined;
  readonly #userSignal: AbortSignal | undefined;

  constructor(milliseconds: number | undefined, userSignal: AbortSignal | undefined) {
    this.#end = milliseconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + milliseconds;
    this.#userSignal = userSignal;
    if (milliseconds !== undefined) this.#timer = setTimeout(() => this.#controller.abort(), milliseconds);
    if (userSignal === undefined) return;
    this.#detach = onAbort(userSignal, () => this.#controller.abort(userSignal.reason));
  }

  /** Aborted when time is up, or by the user. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether it was time, and not the user, that ended it. */
  get expired(): boolean {
    return this.signal.aborted && this.#userSignal?.aborted !== true && performance.now() >= this.#end - 1;
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#detach?.();
  }
}

export function handshakeTimeoutError(description: string, milliseconds: number, cause: unknown): Error {
  const message = `${description}: the handshake did not complete within ${milliseconds} ms (option handshakeTimeout)`;
  return tlsError('ERR_TLS_HANDSHAKE_TIMEOUT', message, { cause });
}
