import { EventEmitter } from 'node:events';
import { invalidThis } from './coded-error.ts';

/** Called with the name of an event when it gets its first listener or loses its last. */
export const listenersChanged = Symbol('listenersChanged');

const hooks: ReadonlySet<unknown> = new Set(['newListener', 'removeListener']);

type Watched = WatchedEmitter<never>;

function added(this: Watched, name: string | symbol): void {
  // Called before the listener is there.
  if (!hooks.has(name) && this.listenerCount(name as never) === 0) this[listenersChanged](name, true);
}

function removed(this: Watched, name: string | symbol): void {
  if (!hooks.has(name) && this.listenerCount(name as never) === 0) this[listenersChanged](name, false);
}

/** An EventEmitter that produces some events only while somebody listens. */
export abstract class WatchedEmitter<T extends Record<keyof T, unknown[]>> extends EventEmitter<T> {
  readonly #watched = true;

  constructor() {
    super();
    const untyped = this as unknown as EventEmitter;
    untyped.on('newListener', added);
    untyped.on('removeListener', removed);
  }

  abstract [listenersChanged](name: string | symbol, listening: boolean): void;

  /** The hooks of this class stay, whatever the name: they are no listeners of the user's. */
  override removeAllListeners(name?: unknown): this {
    if (typeof this !== 'object' || this === null || !(#watched in this)) throw invalidThis('Ssl or Bio');
    const untyped = this as unknown as EventEmitter;
    const names = name === undefined ? untyped.eventNames() : [name as string];
    for (const each of names.filter(each => !hooks.has(each))) super.removeAllListeners(each as never);
    // Last, so that users who listen for removals hear of the others.
    for (const each of names.filter(each => hooks.has(each))) {
      for (const listener of untyped.rawListeners(each)) {
        if (listener !== added && listener !== removed) untyped.removeListener(each, listener as () => void);
      }
    }
    return this;
  }
}
