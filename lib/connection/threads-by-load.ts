// How many threads the shared IoPool has: as few as do the work, and never more than there are processors for.
import { AsyncResource } from 'node:async_hooks';
import type { NativeIoPool, NativeThreadLoad } from '../../types/binding.d.ts';
import { debug, debugging } from '../base/debug.ts';

/** How far a pool may grow. */
export interface ThreadLimits {
  /** Threads. */
  readonly most: number;
  /** That the process may use, JavaScript's included. */
  readonly processors: number;
}

/** What the decision goes by. */
export interface Load {
  readonly threads: readonly NativeThreadLoad[];
  /** Processors that the whole process kept busy. */
  readonly process: number;
}

/** Of a second: a thread that spends more of it on a processor has no room for the next burst. */
const full = 0.7;
/** What the threads that stay would have to do, if one went. */
const light = 0.35;
/** Of a processor, for a new thread to be of use. */
const spare = 0.5;
/** Seconds. */
const patience = 10;

const idle = ({ busy, connections }: NativeThreadLoad): boolean => connections === 0 && busy < 0.01;

const allFull = (threads: readonly NativeThreadLoad[]): boolean => threads.every(({ busy }) => busy > full);

/** Decides once a second. */
export class Growth {
  readonly #limits: ThreadLimits;
  #quiet = 0;

  constructor(limits: ThreadLimits) {
    this.#limits = limits;
  }

  /** Whether there shall be one more, or which of them shall go. */
  decide(load: Load): 'grow' | { readonly retire: number } | undefined {
    const inUse = load.threads.filter(({ retired }) => !retired);
    const least = this.#leastUsed(load.threads, inUse);
    this.#quiet = least === undefined ? 0 : this.#quiet + 1;
    if (least === undefined || this.#quiet < patience) return this.#mayGrow(load, inUse) ? 'grow' : undefined;
    this.#quiet = 0;
    return { retire: least };
  }

  #mayGrow({ process }: Load, inUse: readonly NativeThreadLoad[]): boolean {
    const { most, processors } = this.#limits;
    return inUse.length < most && allFull(inUse) && processors - process >= spare;
  }

  /** Undefined: all are needed. One that accepts stays, because its listening socket does. */
  #leastUsed(threads: readonly NativeThreadLoad[], inUse: readonly NativeThreadLoad[]): number | undefined {
    if (inUse.length < 2) return undefined;
    const free = inUse.filter(({ listeners }) => listeners === 0).sort((a, b) => a.connections - b.connections);
    const [first] = free;
    if (first === undefined) return undefined;
    const others = inUse.filter(each => each !== first);
    const work = inUse.reduce((sum, { busy }) => sum + busy, 0);
    const goes = (idle(first) && !allFull(others)) || work < light * others.length;
    return goes ? threads.indexOf(first) : undefined;
  }
}

/** Of each thread, and of the process. */
const shares = ({ threads, process }: Load): readonly number[] =>
  [...threads.map(({ busy }) => busy), process].map(share => Math.round(share * 100) / 100);

// The timer belongs to none of those who use the pool, nor to the context in which they run.
const scope = new AsyncResource('SYSTEMTLSPOOL');

/** Grows and shrinks a pool that began without threads. */
export class ThreadsByLoad {
  readonly #native: NativeIoPool;
  readonly #limits: ThreadLimits;
  readonly #growth: Growth;
  #begun = false;
  #timer: NodeJS.Timeout | undefined;
  #measuredAt = 0;
  #used = process.cpuUsage();

  constructor(native: NativeIoPool, limits: ThreadLimits) {
    this.#native = native;
    this.#limits = limits;
    this.#growth = new Growth(limits);
  }

  /** Before something is put on the pool. @throws Error if the system refuses the first thread */
  prepare(): void {
    if (!this.#begun) this.#native.addThread(this.#limits.most);
    this.#begun = true;
    if (this.#timer !== undefined || this.#limits.most === 1) return;
    this.#measure();
    this.#timer = scope.runInAsyncScope(() => setInterval(() => this.#look(), 1000).unref());
  }

  #measure(): Load {
    const now = performance.now();
    const { user, system } = process.cpuUsage(this.#used);
    const load = {
      threads: this.#native.measure(),
      process: (user + system) / 1000 / Math.max(1, now - this.#measuredAt),
    };
    this.#measuredAt = now;
    this.#used = process.cpuUsage();
    return load;
  }

  #look(): void {
    const load = this.#measure();
    // The next connection begins it again; of a pool that is closed there is none.
    if (load.threads.length < 2 && load.threads.every(idle)) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      return;
    }
    const decision = this.#growth.decide(load);
    if (decision === 'grow') this.#grow();
    else if (decision !== undefined) this.#native.retireThread(decision.retire);
    if (debugging && decision !== undefined) debug('IoPool.shared: %o; processors: %o', decision, shares(load));
  }

  /** Without it the threads that there are go on. */
  #grow(): void {
    try {
      this.#native.addThread(this.#limits.most);
    } catch (error) {
      debug('IoPool.shared: no further thread: %s', (error as Error).message);
    }
  }
}
