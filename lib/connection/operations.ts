// Promises for operations, and the two ways to give up waiting: a signal and a time.
import type { Status as StatusType } from '../../types/binding.d.ts';
import { onAbort } from '../base/abort-listeners.ts';
import { abortError, timeoutError } from '../base/coded-error.ts';
import { validateObject, validateSignal, validateTimeout } from '../base/validate.ts';
import { Cancelled } from '../native/constants.ts';
import type { Connection, Pending } from '../transport/native-connection.ts';

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
 * @param target - where the bytes of a read are wanted
 */
export function waitFor<T>(
  connection: Connection,
  op: number,
  what: string,
  limits: Limits,
  convert: (result: Result) => T,
  target?: Uint8Array,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const forget = () => connection.forget(op);
    const limit = limits === noLimits ? undefined : new Limit(connection, op, limits, { what, reject, forget });
    const pending: Pending = {
      target,
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

/** The peer's own KeyUpdate, which it was asked for. */
export interface PeerUpdate {
  readonly updated: Promise<void>;
  /** From when our own is done: gives up in time. */
  bound(): void;
}

/** The limits count from now. */
export function expectPeerUpdate(connection: Connection, op: number, limits: Limits): PeerUpdate {
  const begin = performance.now();
  let settled = false;
  let limit: Limit | undefined;
  let refuse!: (error: Error) => void;
  const updated = new Promise<void>((resolve, reject) => {
    refuse = reject;
    const settle = (): void => {
      settled = true;
      limit?.clear();
    };
    connection.expectPeerUpdate(op, {
      done() {
        settle();
        resolve();
      },
      failed(error) {
        settle();
        reject(error);
      },
    });
  });
  // Who does not care for it must not be punished by an unhandled rejection.
  updated.catch(() => undefined);
  const bound = (): void => {
    if (settled || limits === noLimits) return;
    const forget = () => connection.forgetPeerUpdate(op);
    const elapsed = performance.now() - begin;
    limit = new Limit(connection, op, limits, { what: "peer's key update", reject: refuse, forget, elapsed });
  };
  return { updated, bound };
}

interface Waiting {
  /** Names it in messages. */
  readonly what: string;
  reject(error: Error): void;
  /** It is withdrawn. */
  forget(): void;
  /** Milliseconds of the timeout that have passed already. */
  readonly elapsed?: number;
}

class Limit {
  readonly #connection: Connection;
  readonly #op: number;
  readonly #waiting: Waiting;
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #detach: (() => void) | undefined;

  constructor(connection: Connection, op: number, limits: Limits, waiting: Waiting) {
    this.#connection = connection;
    this.#op = op;
    this.#waiting = waiting;
    const { signal, timeout } = limits;
    if (timeout !== undefined) {
      const expire = () => this.#giveUp(timeoutError(`${waiting.what} of ${connection.description}`, timeout));
      this.#timer = setTimeout(expire, Math.max(0, timeout - (waiting.elapsed ?? 0)));
    }
    if (signal === undefined) return;
    if (signal.aborted) this.#giveUp(abortError(signal));
    else this.#detach = onAbort(signal, () => this.#giveUp(abortError(signal)));
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#detach?.();
  }

  #giveUp(error: Error): void {
    if (this.#connection.closed) return;
    const outcome = this.#connection.native.cancel(this.#op);
    // Its end is recorded already, and the event on its way.
    if (outcome === Cancelled.Unknown) return;
    this.clear();
    this.#waiting.forget();
    this.#waiting.reject(error);
    if (outcome === Cancelled.MustClose) this.#connection.close(error);
  }
}

/** From an I/O thread to the loop of this environment. */
export function moveToLoop(connection: Connection): Promise<void> {
  return run(connection, 'move', noLimits, op => connection.native.moveToLoop(op));
}
