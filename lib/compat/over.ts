// Functions and classes of node's, which make contexts of ours meanwhile.
import './engine.ts';
import { withOurContexts } from './secure-context.ts';

type Any = (this: unknown, ...args: unknown[]) => unknown;

/** node's function. */
export function over<F>(node: F): F {
  return function (this: unknown, ...args: unknown[]) {
    return withOurContexts(() => Reflect.apply(node as Any, this, args));
  } as F;
}

/** node's class, which may be called without `new` and inherited from in either way. */
export function constructedOver<C extends object>(base: C): C {
  function Over(this: unknown, ...args: unknown[]): unknown {
    const bySubclass = new.target === undefined && this instanceof Over;
    return withOurContexts(() =>
      bySubclass ? Reflect.apply(base as Any, this, args) : Reflect.construct(base as never, args, new.target ?? Over),
    );
  }
  Object.setPrototypeOf(Over, base);
  // The same one: what node's own JavaScript makes is an instance too.
  Over.prototype = (base as { prototype: object }).prototype;
  Object.defineProperty(Over, 'name', { value: (base as { name: string }).name });
  return Over as unknown as C;
}
