import { availableParallelism } from 'node:os';
import type { NativeIoPool } from '../../types/binding.d.ts';
import { invalidArgType, invalidThis, tlsError } from '../base/coded-error.ts';
import { debug, debugging } from '../base/debug.ts';
import { validateInteger, validateObject } from '../base/validate.ts';
import { withResolvers } from '../base/with-resolvers.ts';
import { EventKind } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import { type DispatchTarget, keepAlive, nextId, register, unregister } from '../transport/dispatch.ts';

export interface IoPoolOptions {
  /** 1 to 256; default: the processors that the process may use, without the one that runs JavaScript. */
  readonly threads?: number | undefined;
}

/** More than any machine has use for, each with its stack and 768 KiB for its events. */
const maxThreads = 256;

/** What ends with the process, if nobody closes it: a native thread must not outlive the library that it runs in. */
const open = new Set<WeakRef<NativeIoPool>>();
/** One that nobody refers to, nor any of its connections, ends with its collection. */
const collected = new FinalizationRegistry<WeakRef<NativeIoPool>>(forget);

function stopAll(): void {
  for (const native of open) native.deref()?.stop();
  open.clear();
}

function track(native: NativeIoPool): WeakRef<NativeIoPool> {
  // process.exit() runs no other hook on the main thread.
  if (open.size === 0) process.on('exit', stopAll);
  const reference = new WeakRef(native);
  open.add(reference);
  collected.register(native, reference);
  return reference;
}

function forget(reference: WeakRef<NativeIoPool>): void {
  if (open.delete(reference) && open.size === 0) process.off('exit', stopAll);
}

let own: (pool: unknown) => IoPool;

/** @internal An option of that type. */
export let nativePool: (value: unknown, name: string) => NativeIoPool | undefined;

/** @internal Calls `act` when the pool is being closed, unless what is given back was called before. */
export let onPoolClosing: (pool: IoPool, act: () => void) => () => void;

/**
 * Native threads on which connections live: their handshakes, records and system calls happen there, and JavaScript
 * gets batches of events. For machines with processors to spare: a thread adds some 25 us to each round trip.
 *
 * Given as `io` to connect(), createServer() or an Ssl. Belongs to the environment (main thread or worker) that made it.
 * Threads with nothing to do keep no process running.
 */
export class IoPool {
  readonly #native: NativeIoPool;
  readonly #tracked: WeakRef<NativeIoPool>;
  readonly #threads: number;
  readonly #closing: DispatchTarget & { readonly ended: Promise<void> };
  readonly #dependents = new Set<() => void>();
  #closed = false;

  /** @throws RangeError `ERR_OUT_OF_RANGE` for fewer than 1 or more than 256 threads; Error if the system refuses one */
  constructor(options: IoPoolOptions = {}) {
    validateObject(options, 'options');
    const threads = options.threads ?? Math.min(maxThreads, Math.max(1, availableParallelism() - 1));
    validateInteger(threads, 'options.threads', 1, maxThreads);
    this.#threads = threads;
    this.#closing = makeClosing();
    this.#native = new binding.NativeIoPool(this.#closing.id, threads);
    this.#tracked = track(this.#native);
    if (debugging) debug('IoPool #%d: %d threads', this.#closing.id, threads);
  }

  get threads(): number {
    return own(this).#threads;
  }

  /** Connections on each thread: a new one goes where there are fewest. */
  get connections(): readonly number[] {
    return own(this).#native.connections;
  }

  /**
   * Ends all connections that live here, with `ERR_TLS_CLOSED`, then the threads; resolves when everybody was told.
   * Servers that listen for it stop at once, each with an event `'error'` (`ERR_TLS_CLOSED`), and `'close'` when their last
   * connection has ended: close them first. Idempotent.
   */
  async close(): Promise<void> {
    const pool = own(this);
    if (!pool.#closed) {
      pool.#closed = true;
      if (debugging) debug('IoPool #%d: closes, with connections %o', pool.#closing.id, pool.connections);
      register(pool.#closing);
      keepAlive(pool.#closing, true);
      pool.#native.close();
      for (const act of [...pool.#dependents]) act();
    }
    await pool.#closing.ended;
    pool.#native.stop();
    forget(pool.#tracked);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await own(this).close();
  }

  static {
    own = pool => {
      if (typeof pool !== 'object' || pool === null || !(#native in pool)) throw invalidThis('IoPool');
      return pool;
    };
    nativePool = (value, name) => {
      if (value === undefined || value === null) return undefined;
      if (typeof value !== 'object' || !(#native in value)) throw invalidArgType(name, 'an IoPool', value);
      if ((value as IoPool).#closed) throw tlsError('ERR_TLS_CLOSED', `"${name}" is an IoPool that is closed`);
      return (value as IoPool).#native;
    };
    onPoolClosing = (pool, act) => {
      pool.#dependents.add(act);
      return () => pool.#dependents.delete(act);
    };
  }
}

/** Hears, behind all other events of the threads, that there are no more. */
function makeClosing(): DispatchTarget & { readonly ended: Promise<void> } {
  const { promise: ended, resolve } = withResolvers<void>();
  const target = {
    id: nextId(),
    ended,
    handle(kind: number): void {
      if (kind !== EventKind.OpDone) return;
      unregister(target);
      resolve();
    },
    released(): void {},
  };
  return target;
}
