// Emitters that produce some events only while somebody listens.
import type { EventEmitter } from 'node:events';

/** Called with the name of an event when it gets its first listener or loses its last. */
export const listenersChanged = Symbol('listenersChanged');

export interface Watched extends EventEmitter {
  [listenersChanged](name: string | symbol, listening: boolean): void;
}

type Name = string | symbol;
type Listener = (...args: unknown[]) => void;

/**
 * Makes all emitters of a class call their {@link listenersChanged}. The methods of the class are replaced, since a listener of
 * `'newListener'` would cost every emitter memory and every listener an event, and `removeAllListeners()` would take it away.
 *
 * @param prototype - of the class, which is below the one that emits
 * @param own - throws for what is no object of the class
 */
export function watchListeners<T extends Watched>(prototype: T, own: (self: unknown) => unknown): void {
  const base = Object.getPrototypeOf(prototype) as EventEmitter;
  // once() and prependOnceListener() call these.
  for (const method of ['on', 'addListener', 'prependListener'] as const) {
    replace(prototype, method, function (name: Name, listener: Listener): T {
      own(this);
      const first = this.listenerCount(name) === 0;
      base[method].call(this, name, listener);
      if (first) this[listenersChanged](name, true);
      return this;
    });
  }
  for (const method of ['off', 'removeListener'] as const) {
    replace(prototype, method, function (name: Name, listener: Listener): T {
      own(this);
      const had = this.listenerCount(name) > 0;
      base[method].call(this, name, listener);
      if (had && this.listenerCount(name) === 0) this[listenersChanged](name, false);
      return this;
    });
  }
  replace(prototype, 'removeAllListeners', function (name?: Name): T {
    own(this);
    const names = (name === undefined ? this.eventNames() : [name]).filter(each => this.listenerCount(each) > 0);
    // node tells no name from an undefined one by the number of arguments.
    if (name === undefined) base.removeAllListeners.call(this);
    else base.removeAllListeners.call(this, name);
    for (const each of names) {
      if (this.listenerCount(each) === 0) this[listenersChanged](each, false);
    }
    return this;
  });
}

function replace<T extends Watched>(
  prototype: T,
  method: keyof EventEmitter,
  value: (this: T, name: Name, listener: Listener) => T,
): void {
  Object.defineProperty(prototype, method, { value, writable: true, configurable: true });
}
