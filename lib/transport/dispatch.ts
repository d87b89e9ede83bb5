// Where native events enter JavaScript: a batch at a time, each event to the object that it names.
import { toError } from '../errors/errors.ts';
import { binding } from '../native/load-binding.ts';

/** An object that events name by its id. */
export interface DispatchTarget {
  readonly id: number;
  /** `bytes` is memory of the binding's: valid until this returns. */
  handle(kind: number, a: number, b: number, c: number, bytes: Uint8Array): void;
  /** Called after a dispatch in which it was held by {@link holdUntilDispatched}. */
  released(): void;
}

const integersPerEvent = 5;

/** Those that must stay alive because something is under way. */
const strong = new Map<number, DispatchTarget>();
/** All others that are alive: events can reach them as long as somebody uses them. */
const weak = new Map<number, WeakRef<DispatchTarget>>();
const collected = new FinalizationRegistry<number>(id => weak.delete(id));

let held: DispatchTarget[] = [];
let lastId = 0;

const shared = binding.setDispatch(dispatch, failure => toError(failure));
const { events, gathered, lends } = shared;

/** See the binding. */
export const { state } = shared;
/** What it tells, by index. */
export const stateAt = { recorded: 0, held: 1, dispatching: 2 } as const;

/** Memory for the native call `writeGathered`, of this environment. */
export const gatheredBytes: Buffer = Buffer.from(gathered.buffer, gathered.byteOffset, gathered.byteLength);

/** Whether users may see the memory of events, as long as they are being handled. */
export const lendsMemory: boolean = lends;

export function nextId(): number {
  lastId = lastId === 0x7fffffff ? 1 : lastId + 1;
  while (strong.has(lastId) || weak.has(lastId)) lastId++;
  return lastId;
}

/** New, and perhaps about to be kept alive: most sockets are from their first to their last moment. */
const fresh: DispatchTarget[] = [];

/** Makes events find `target` for as long as it is reachable. */
export function register(target: DispatchTarget): void {
  if (fresh.push(target) === 1) queueMicrotask(settleFresh);
}

function settleFresh(): void {
  for (const target of fresh.splice(0)) {
    if (!strong.has(target.id)) holdWeakly(target);
  }
}

/** A WeakRef and its finalization cost more than the rest of what is kept here, so only those get them who need them. */
function holdWeakly(target: DispatchTarget): void {
  if (weak.has(target.id)) return;
  weak.set(target.id, new WeakRef(target));
  collected.register(target, target.id, target);
}

/** No event reaches `target` any more. */
export function unregister(target: DispatchTarget): void {
  strong.delete(target.id);
  if (weak.delete(target.id)) {
    collected.unregister(target);
    return;
  }
  const at = fresh.indexOf(target);
  if (at >= 0) fresh.splice(at, 1);
}

/** Keeps `target` alive, or lets it be collected when nobody else holds it. */
export function keepAlive(target: DispatchTarget, keep: boolean): void {
  if (keep) strong.set(target.id, target);
  else if (strong.delete(target.id)) holdWeakly(target);
}

/** Whether events were recorded that no dispatch has delivered yet, by whichever call. */
export function eventsAreWaiting(): boolean {
  return state[stateAt.recorded] !== 0;
}

/** For a target that a call has just left with undelivered events. */
export function holdUntilDispatched(target: DispatchTarget): void {
  held.push(target);
}

function find(id: number): DispatchTarget | undefined {
  return strong.get(id) ?? weak.get(id)?.deref();
}

/** How much of `events` is being dispatched. */
let dispatching = 0;

/** Whether the batch that is being dispatched has an event of that kind for `id`. */
export function batchHas(id: number, kind: number): boolean {
  for (let i = 0; i < dispatching; i += integersPerEvent) {
    if (events[i] === id && events[i + 1] === kind) return true;
  }
  return false;
}

function dispatch(count: number, lent: Uint8Array): void {
  let slab = lent;
  dispatching = count * integersPerEvent;
  const delivered = held;
  held = [];
  for (let i = 0, end = dispatching; i < end; i += integersPerEvent) {
    // A handler that was lent memory has detached it: what is left for others comes as a copy.
    if (slab.length === 0) slab = binding.copiedSlab();
    try {
      // The cast is free of risk: the loop stays inside what the binding says is there.
      find(events[i] as number)?.handle(
        events[i + 1] as number,
        events[i + 2] as number,
        events[i + 3] as number,
        events[i + 4] as number,
        slab,
      );
    } catch (error) {
      throwLater(error);
    }
  }
  dispatching = 0;
  for (const target of delivered) target.released();
}

/** A handler that throws must not lose the events of others: what it threw (anything) becomes an uncaught exception. */
export function throwLater(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
