import { tlsError } from './coded-error.ts';

/** A time by which all of something must be done, made of the limits that its user gave. */
export class Deadline {
  readonly #end: number;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #forward: (() => void) | undefined;
  readonly #userSignal: AbortSignal | undefined;

  constructor(milliseconds: number | undefined, userSignal: AbortSignal | undefined) {
    this.#end = milliseconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + milliseconds;
    this.#userSignal = userSignal;
    if (milliseconds !== undefined) this.#timer = setTimeout(() => this.#controller.abort(), milliseconds);
    if (userSignal === undefined) return;
    this.#forward = () => this.#controller.abort(userSignal.reason);
    userSignal.addEventListener('abort', this.#forward, { once: true });
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
    if (this.#forward !== undefined) this.#userSignal?.removeEventListener('abort', this.#forward);
  }
}

export function handshakeTimeoutError(description: string, milliseconds: number, cause: unknown): Error {
  const message = `${description}: the handshake did not complete within ${milliseconds} ms (option handshakeTimeout)`;
  return tlsError('ERR_TLS_HANDSHAKE_TIMEOUT', message, { cause });
}
