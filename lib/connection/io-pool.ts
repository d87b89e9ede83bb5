import type { NativeIoPool } from '../../types/binding.d.ts';
import { invalidArgType, invalidThis, tlsError } from '../base/coded-error.ts';
import { debug, debugging } from '../base/debug.ts';
import { processorsAtHand } from '../base/processors.ts';
import { validateInteger, validateObject } from '../base/validate.ts';
import { withResolvers } from '../base/with-resolvers.ts';
import { EventKind } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import { type DispatchTarget, keepAlive, nextId, register, unregister } from '../transport/dispatch.ts';
import { mostThreads, threadsByEnvironment } from './threads-by-environment.ts';
import { type ThreadLimits, ThreadsByLoad } from './threads-by-load.ts';

export interface IoPoolOptions {
  /** 1 to 256; default: the processors that the process may use, without the one that runs JavaScript. */
  readonly threads?: number | undefined;
}

/** Where connections live: on threads of a pool; true: of {@link IoPool.shared}; false: on the loop. */
export type IoOption = IoPool | boolean | null | undefined;

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

/** One goes to JavaScript. */
function threadsFor(processors: number): number {
  return Math.min(mostThreads, Math.max(1, processors - 1));
}

/** @internal Options of a pool whose threads come and go by load, the first one with the first connection. */
export class ByLoad implements IoPoolOptions {
  readonly threads = undefined;
  readonly limits: ThreadLimits;

  constructor(limits: ThreadLimits) {
    this.limits = limits;
  }
}

let own: (pool: unknown) => IoPool;
let sharedPool: IoPool | undefined;
let makeShared: () => IoPool;

/**
 * @internal An option of that type: is it one, and one that can be used? Starts no thread.
 *
 * @throws TypeError `ERR_INVALID_ARG_TYPE`; Error `ERR_TLS_CLOSED`
 */
export let ioPool: (value: unknown, name: string) => IoPool | undefined;

/** @internal The same, for a connection or a listener that goes there now. */
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
  readonly #byLoad: ThreadsByLoad | undefined;
  readonly #closing: DispatchTarget & { readonly ended: Promise<void> };
  readonly #dependents = new Set<() => void>();
  #closed = false;

  /**
   * @throws RangeError `ERR_OUT_OF_RANGE` for fewer than 1 or more than 256 threads; Error if the system refuses one
   */
  constructor(options: IoPoolOptions = {}) {
    validateObject(options, 'options');
    const limits = options instanceof ByLoad ? options.limits : undefined;
    const threads = limits === undefined ? (options.threads ?? threadsFor(processorsAtHand())) : 0;
    if (limits === undefined) validateInteger(threads, 'options.threads', 1, mostThreads);
    this.#closing = makeClosing();
    this.#native = new binding.NativeIoPool(this.#closing.id, threads);
    this.#byLoad = limits && new ThreadsByLoad(this.#native, limits);
    this.#tracked = track(this.#native);
    if (debugging) debug('IoPool #%d: %d threads', this.#closing.id, this.threads);
  }

  /**
   * The pool of `io: true`, one for the process; a worker has its own. Its first thread begins with the first connection. A
   * second later there is another one if all of them are busy and a processor is free, up to the processors that the
   * process may use, by affinity and cgroups, without the one that runs JavaScript. A thread without work ends, all but one.
   * With SYSTEM_TLS_IO_THREADS in the environment it has that many from the start.
   *
   * @throws TypeError `ERR_INVALID_ARG_VALUE` for a SYSTEM_TLS_IO_THREADS that is no number of threads
   */
  static get shared(): IoPool {
    sharedPool ??= makeShared();
    return sharedPool;
  }

  /** How many there are now. */
  get threads(): number {
    return own(this).#native.connections.length;
  }

  /** Connections on each thread: a new one goes where there are fewest. That of {@link IoPool.shared} avoids a busy one. */
  get connections(): readonly number[] {
    return own(this).#native.connections;
  }

  /**
   * Ends all connections that live here, with `ERR_TLS_CLOSED`, then the threads; resolves when everybody was told.
   * Servers that listen for it stop at once, each with an event `'error'` (`ERR_TLS_CLOSED`), and `'close'` when their last
   * connection has ended: close them first. Idempotent.
   *
   * @throws Error `ERR_TLS_IO_POOL_SHARED` for {@link IoPool.shared}, on which others have connections too
   */
  async close(): Promise<void> {
    const pool = own(this);
    if (pool === sharedPool) throw tlsError('ERR_TLS_IO_POOL_SHARED', sharedIsNobodys);
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
    makeShared = () => {
      const threads = threadsByEnvironment();
      if (threads !== undefined) return new IoPool({ threads });
      const processors = processorsAtHand();
      return new IoPool(new ByLoad({ most: threadsFor(processors), processors }));
    };
    ioPool = (value, name) => {
      if (value === undefined || value === null || value === false) return undefined;
      if (value === true) return IoPool.shared;
      if (typeof value !== 'object' || !(#native in value))
        throw invalidArgType(name, 'an IoPool, true or false', value);
      if ((value as IoPool).#closed) throw tlsError('ERR_TLS_CLOSED', `"${name}" is an IoPool that is closed`);
      return value as IoPool;
    };
    nativePool = (value, name) => {
      const pool = ioPool(value, name);
      if (pool === undefined) return undefined;
      pool.#byLoad?.prepare();
      return pool.#native;
    };
    onPoolClosing = (pool, act) => {
      pool.#dependents.add(act);
      return () => pool.#dependents.delete(act);
    };
  }
}

const sharedIsNobodys =
  'IoPool.shared cannot be closed, because others have connections there: close your own, or use a "new IoPool()"';

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
