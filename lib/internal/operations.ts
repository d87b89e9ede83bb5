// Promises for operations, and the two ways to give up waiting: a signal and a time.
import type { Status as StatusType } from '../../types/binding.d.ts';
import { abortError, timeoutError } from './coded-error.ts';
import type { Connection, Pending } from './connection.ts';
import { Cancelled } from './constants.ts';
import { validateObject, validateSignal, validateTimeout } from './validate.ts';

/** What every method takes that may have to wait. */
export interface OperationOptions {
  /**
   * Gives up waiting; the promise rejects with an `AbortError` (`ABORT_ERR`) whose `cause` is the signal's reason.
   *
   * What had not begun is withdrawn and nothing is lost. A handshake or write that was under way cannot be taken
   * back: the connection is closed, and everything else that is pending rejects with `ERR_TLS_CLOSED`.
   */
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the wait is given up in the same way, with `ERR_TLS_TIMEOUT`; Infinity for no limit. */
  readonly timeout?: number | undefined;
}

/** Options that were checked. */
export interface Limits {
  readonly signal: AbortSignal | undefined;
  readonly timeout: number | undefined;
}

const noLimits: Limits = { signal: undefined, timeout: undefined };

/** Checks the options; throws if the signal was aborted already, so that nothing is started. */
export function checkLimits(options: OperationOptions | undefined, defaultTimeout?: number): Limits {
  if (options === undefined) return defaultTimeout === undefined ? noLimits : { ...noLimits, timeout: defaultTimeout };
  validateObject(options, 'options');
  const signal = validateSignal(options.signal, 'options.signal');
  const timeout = validateTimeout(options.timeout === undefined ? defaultTimeout : options.timeout, 'options.timeout');
  if (signal?.aborted) throw abortError(signal);
  return signal === undefined && timeout === undefined ? noLimits : { signal, timeout };
}

type Result = number | Buffer | null;

/**
 * Waits for the event that ends operation `op`.
 *
 * @param what - names the operation in messages: 'handshake'
 */
export function waitFor<T>(
  connection: Connection,
  op: number,
  what: string,
  limits: Limits,
  convert: (result: Result) => T,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const limit = limits === noLimits ? undefined : new Limit(connection, op, what, limits, reject);
    const pending: Pending = {
      done(result) {
        limit?.clear();
        resolve(convert(result));
      },
      failed(error) {
        limit?.clear();
        reject(error);
      },
    };
    connection.expect(op, pending);
  });
}

/** Runs an operation that gives nothing back. */
export async function run(
  connection: Connection,
  what: string,
  limits: Limits,
  start: (op: number) => StatusType,
): Promise<void> {
  connection.assertUsable();
  const op = connection.nextOp();
  if (!connection.started(start(op))) await waitFor(connection, op, what, limits, () => undefined);
}

class Limit {
  readonly #connection: Connection;
  readonly #op: number;
  readonly #reject: (error: Error) => void;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #onAbort: (() => void) | undefined;

  constructor(connection: Connection, op: number, what: string, limits: Limits, reject: (error: Error) => void) {
    this.#connection = connection;
    this.#op = op;
    this.#reject = reject;
    const { signal, timeout } = limits;
    if (timeout !== undefined) {
      const expire = () => this.#giveUp(timeoutError(`${what} of ${connection.description}`, timeout));
      this.#timer = setTimeout(expire, timeout);
    }
    if (signal !== undefined) {
      this.#signal = signal;
      this.#onAbort = () => this.#giveUp(abortError(signal));
      signal.addEventListener('abort', this.#onAbort, { once: true });
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
    if (this.#onAbort !== undefined) this.#signal?.removeEventListener('abort', this.#onAbort);
  }

  #giveUp(error: Error): void {
    if (this.#connection.closed) return;
    const outcome = this.#connection.native.cancel(this.#op);
    // Its end is recorded already, and the event on its way.
    if (outcome === Cancelled.Unknown) return;
    this.clear();
    this.#connection.forget(this.#op);
    this.#reject(error);
    if (outcome === Cancelled.MustClose) this.#connection.close(error);
  }
}
