// What was called and what came of it: the record of one case, on which its checks stand.
import { deferred } from '../support/wait.ts';

export interface Operation {
  readonly name: string;
  /** How often it ended. More than once is wrong. */
  settled: number;
  error: unknown;
}

export class Ledger {
  readonly operations: Operation[] = [];
  /** Events of the stream or the connection, as often as they came. */
  readonly events = new Map<string, number>();
  readonly errors: Error[] = [];
  readonly #chunks: Buffer[] = [];
  readonly #ending = deferred<'end' | Error>();
  readonly #closed = deferred<void>();
  readonly #watchers = new Set<() => void>();
  /** Where reading ended, once it has. */
  ending: 'end' | Error | undefined;
  /** Clear bytes of operations that ended well. */
  written = 0;

  /** Resolves when the reader was told its end, whatever it was. */
  get ended(): Promise<'end' | Error> {
    return this.#ending.promise;
  }

  /** Resolves when the owner was told that the connection is closed. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  event(name: string): void {
    this.events.set(name, (this.events.get(name) ?? 0) + 1);
    if (name === 'close') this.#closed.resolve();
  }

  count(name: string): number {
    return this.events.get(name) ?? 0;
  }

  error(error: Error): void {
    this.event('error');
    this.errors.push(error);
  }

  /** Only the first end counts: what comes behind it is in the events. */
  end(how: 'end' | Error): void {
    this.ending ??= how;
    this.#ending.resolve(this.ending);
  }

  chunk(bytes: Uint8Array): void {
    this.#chunks.push(Buffer.from(bytes));
    for (const look of [...this.#watchers]) look();
  }

  get delivered(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  get length(): number {
    return this.#chunks.reduce((sum, { length }) => sum + length, 0);
  }

  /** Resolves when so many bytes were delivered. */
  async reaches(length: number): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const look = () => {
      if (this.length >= length) resolve();
    };
    this.#watchers.add(look);
    look();
    await promise;
    this.#watchers.delete(look);
  }

  /** Gives what ends the operation `name`, for an API with callbacks. */
  operation(name: string): (error?: unknown) => void {
    const made: Operation = { name, settled: 0, error: undefined };
    this.operations.push(made);
    return error => {
      made.settled++;
      made.error = error ?? undefined;
      for (const look of [...this.#watchers]) look();
    };
  }

  /** Follows `promise`; resolves when that has settled, however. */
  async follow<T>(name: string, promise: Promise<T>): Promise<T | undefined> {
    const settle = this.operation(name);
    try {
      const value = await promise;
      settle();
      return value;
    } catch (error) {
      settle(error);
      return undefined;
    }
  }

  get pending(): string[] {
    return this.operations.filter(({ settled }) => settled === 0).map(({ name }) => name);
  }

  /** Resolves when every operation has ended that was called so far. */
  async settled(): Promise<void> {
    const { promise, resolve } = deferred<void>();
    const look = () => {
      if (this.pending.length === 0) resolve();
    };
    this.#watchers.add(look);
    look();
    await promise;
    this.#watchers.delete(look);
  }
}
