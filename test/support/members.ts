// The members of a class, by reflection: what is there is what must be guarded.
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';

const nodes: readonly object[] = [Object.prototype, EventEmitter.prototype, Duplex.prototype];

type Member = readonly [key: PropertyKey, descriptor: PropertyDescriptor];

/** What the class and those above it add to what node has. */
function members({ prototype }: { prototype: object }): Member[] {
  const found: Member[] = [];
  for (let at = prototype; !nodes.includes(at); at = Object.getPrototypeOf(at) as object) {
    for (const key of Reflect.ownKeys(at)) {
      found.push([key, Object.getOwnPropertyDescriptor(at, key) as PropertyDescriptor]);
    }
  }
  const above = nodes.filter(each => Object.prototype.isPrototypeOf.call(each, prototype));
  const isInherited = (key: PropertyKey) => above.some(each => key in each);
  return found.filter(([key]) => key !== 'constructor' && !isInherited(key) && !isInternal(key));
}

/** Symbols that are not the language's own are nobody's to call, nor are a stream's inner methods. */
const isInternal = (key: PropertyKey): boolean =>
  typeof key === 'symbol'
    ? !Object.getOwnPropertyNames(Symbol).some(name => Reflect.get(Symbol, name) === key)
    : String(key).startsWith('_');

export const methods = (type: { prototype: object }): Member[] =>
  members(type).filter(([, { value }]) => typeof value === 'function');

export const accessors = (type: { prototype: object }): Member[] =>
  members(type).filter(([, { get }]) => get !== undefined);
