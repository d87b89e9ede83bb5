import { onAbort } from '../base/abort-listeners.ts';
import {
  abortError,
  closedError,
  invalidArgType,
  invalidArgValue,
  invalidThis,
  timeoutError,
  tlsError,
} from '../base/coded-error.ts';
import { Deadline } from '../base/deadline.ts';
import { validateString } from '../base/validate.ts';
import { checkLimits, type OperationOptions } from '../connection/operations.ts';
import type { ReadOptions } from '../connection/options.ts';
import { Bio, bioArgument } from '../transport/bio.ts';

export interface GetsOptions extends OperationOptions {
  /** Bytes that a line may have, its end included; default 65536. Above it: `ERR_TLS_LINE_TOO_LONG`. */
  readonly maxLength?: number | undefined;
  /** How bytes become text; default `'utf8'`. `'latin1'` loses none. */
  readonly encoding?: BufferEncoding | undefined;
}

/** What a step of an operation is given: one signal for the user's signal, the time and the end of the Bio. */
export interface Step {
  readonly signal: AbortSignal;
}

/** @internal Refuses, by throwing, what cannot come below. */
export const attach: unique symbol = Symbol('attach');
/** @internal Refuses, by throwing, to be taken out. */
export const detach: unique symbol = Symbol('detach');
/** @internal Its own part of being closed; a source or sink below is its to close. */
export const free: unique symbol = Symbol('free');

type Within = <T>(
  bio: FilterBio,
  what: string,
  options: OperationOptions | undefined,
  work: (step: Step) => Promise<T>,
) => Promise<T>;

/** @internal Runs an operation within the limits that the user gave. */
export let within: Within;
let filterOf: (bio: unknown) => FilterBio;

/**
 * A BIO through which bytes pass on their way to another: a filter BIO, of which chains are made. What is called on the
 * first goes down the chain.
 *
 * Unlike those of a {@link Bio}, its calls wait: each takes `signal` and `timeout`, and runs in call order with others of its
 * direction.
 */
export abstract class FilterBio {
  #next: FilterBio | Bio | null = null;
  #above: FilterBio | null = null;
  readonly #lifetime = new AbortController();

  static {
    filterOf = bio => {
      if (typeof bio !== 'object' || bio === null || !(#lifetime in bio)) throw invalidThis('FilterBio');
      return bio;
    };
    within = async (bio, what, options, work) => {
      const { timeout, signal } = checkLimits(options);
      bio.#assertOpen();
      const lifetime = bio.#lifetime.signal;
      const unlimited = timeout === undefined && signal === undefined;
      const deadline = unlimited ? undefined : new Deadline(timeout, signal);
      const either = deadline === undefined ? undefined : new Either(deadline.signal, lifetime);
      try {
        return await work({ signal: either?.signal ?? lifetime });
      } catch (error) {
        if (!isAbort(error)) throw error;
        if (lifetime.aborted) throw bio.#closedError();
        throw deadline?.expired || signal === undefined
          ? timeoutError(`${what} of the ${bio.constructor.name}`, timeout ?? 0)
          : abortError(signal);
      } finally {
        either?.clear();
        deadline?.clear();
      }
    };
  }

  // -------------------------------------------------------------------------------------------------------------------
  // The chain

  /**
   * Puts a Bio, or a chain, at the end of this chain: BIO_push(3).
   *
   * @returns this
   * @throws Error `ERR_TLS_HAS_TRANSPORT` if the chain ends in a source or sink already, `ERR_TLS_BIO_IN_USE` if `append` is
   * part of another chain
   */
  push(append: FilterBio | Bio): this {
    filterOf(this).#assertOpen();
    const last = this.#last();
    if (last.#next !== null) {
      throw tlsError('ERR_TLS_HAS_TRANSPORT', 'the chain ends in a source or sink already: nothing can come below it');
    }
    if (append instanceof FilterBio) last.#pushFilter(append);
    else if (append instanceof Bio) last.#pushSource(append);
    else throw invalidArgType('append', 'a Bio, a BufferBio or an SslBio', append);
    return this;
  }

  #pushFilter(append: FilterBio): void {
    append.#assertOpen();
    if (append.#above !== null)
      throw tlsError('ERR_TLS_BIO_IN_USE', '"append" is part of another chain: pop() it first');
    for (let each: FilterBio | null = this; each !== null; each = each.#above) {
      if (each === append)
        throw invalidArgValue('append', 'must not be part of the chain that it is put below', append);
    }
    this[attach](append);
    this.#next = append;
    append.#above = this;
  }

  #pushSource(append: Bio): void {
    bioArgument(append, 'append');
    this[attach](append);
    this.#next = append;
  }

  /**
   * Takes this one out of its chain, whose other parts close up: BIO_pop(3). What it has buffered stays in it.
   *
   * @returns what came below it, or null
   */
  pop(): FilterBio | Bio | null {
    filterOf(this).#assertOpen();
    this[detach]();
    const [above, next] = [this.#above, this.#next];
    this.#above = this.#next = null;
    if (above !== null) above.#next = next;
    if (next instanceof FilterBio) next.#above = above;
    return next;
  }

  /** What comes below, or null: BIO_next(3). */
  get next(): FilterBio | Bio | null {
    return filterOf(this).#next;
  }

  #last(): FilterBio {
    const next = this.#next;
    return next instanceof FilterBio ? next.#last() : this;
  }

  /** @internal */
  abstract [attach](below: FilterBio | Bio): void;

  /** @internal */
  [detach](): void {}

  // -------------------------------------------------------------------------------------------------------------------
  // Data

  /** Some bytes; null at the end: BIO_read(3). */
  abstract read(options?: ReadOptions): Promise<Buffer | null>;

  /** Resolves to the number of bytes, all of them: BIO_write(3). */
  abstract write(data: string | NodeJS.ArrayBufferView, options?: OperationOptions): Promise<number>;

  /** What is buffered goes on its way: BIO_flush(3). */
  abstract flush(options?: OperationOptions): Promise<void>;

  /** A line: BIO_gets(3). */
  abstract gets(options?: GetsOptions): Promise<string | null>;

  /** Writes text, to which no end of line is added: BIO_puts(3). Resolves to the number of bytes. */
  async puts(text: string, options?: OperationOptions): Promise<number> {
    filterOf(this);
    validateString(text, 'text');
    return this.write(text, options);
  }

  /** Bytes that can be read without waiting: BIO_pending(3). */
  abstract get pending(): number;

  /** Bytes that were written and wait: BIO_wpending(3). */
  abstract get wpending(): number;

  // -------------------------------------------------------------------------------------------------------------------
  // Life

  /** Closes it and all that comes below it: BIO_free_all(3). What was not flushed is lost. Idempotent. */
  close(): void {
    if (filterOf(this).closed) return;
    const next = this.#next;
    if (this.#above !== null) this.#above.#next = null;
    this.#above = this.#next = null;
    this[free](next);
    this.#lifetime.abort();
    if (next instanceof FilterBio) next.close();
  }

  /** @internal */
  abstract [free](next: FilterBio | Bio | null): void;

  /** Whether {@link close} was called; everything else then is `ERR_TLS_CLOSED`. */
  get closed(): boolean {
    return filterOf(this).#lifetime.signal.aborted;
  }

  [Symbol.dispose](): void {
    filterOf(this).close();
  }

  #assertOpen(): void {
    if (this.closed) throw this.#closedError();
  }

  #closedError(): Error {
    return closedError(`the ${this.constructor.name}`);
  }
}

/** A signal that follows two others. Unlike AbortSignal.any() it leaves no trace on those that live on. */
class Either {
  readonly #controller = new AbortController();
  readonly #detach: readonly (() => void)[];

  constructor(...signals: readonly AbortSignal[]) {
    this.#detach = signals.map(each => onAbort(each, () => this.#controller.abort(each.reason)));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  clear(): void {
    for (const detach of this.#detach) detach();
  }
}

const isAbort = (error: unknown): boolean => (error as NodeJS.ErrnoException | null)?.code === 'ABORT_ERR';
