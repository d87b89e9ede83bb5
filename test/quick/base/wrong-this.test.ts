// Whatever `this` a method or accessor of a public class is called with: a named error, or its work, and never one without a code.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { Duplex } from 'node:stream';
import * as systemTls from 'system-tls';
import { codes } from '../../support/codes.ts';

type Class = (new (...args: never[]) => object) & { readonly prototype: object };

const isClass = (value: unknown): value is Class =>
  typeof value === 'function' && Object.getOwnPropertyDescriptor(value, 'prototype')?.writable === false;

const classes: ReadonlyArray<readonly [name: string, type: Class]> = Object.entries(systemTls).flatMap(
  ([name, value]) => (isClass(value) ? [[name, value] as const] : []),
);

const nodes: readonly object[] = [Object.prototype, EventEmitter.prototype, Duplex.prototype, Error.prototype];

/** What is the language's, or a name. Other symbols are nobody's to call. */
const isPublic = (key: PropertyKey): boolean =>
  typeof key !== 'symbol' || Object.getOwnPropertyNames(Symbol).some(name => Reflect.get(Symbol, name) === key);

interface Call {
  readonly name: string;
  run(self: unknown): unknown;
}

/** All that the class and those above it define, those too that take the place of what node has. */
function callsOf(name: string, type: Class): Call[] {
  const calls: Call[] = [];
  for (let at = type.prototype; !nodes.includes(at); at = Object.getPrototypeOf(at) as object) {
    for (const key of Reflect.ownKeys(at).filter(key => key !== 'constructor' && isPublic(key))) {
      const { value, get, set } = Object.getOwnPropertyDescriptor(at, key) as PropertyDescriptor;
      const label = `${name}.prototype.${String(key)}`;
      if (typeof value === 'function') calls.push({ name: `${label}()`, run: self => value.call(self, () => {}) });
      if (get !== undefined) calls.push({ name: label, run: self => get.call(self) });
      if (set !== undefined) calls.push({ name: `${label} =`, run: self => set.call(self, true) });
    }
  }
  return calls;
}

/** The code of what it throws or rejects with; undefined: it does neither. */
async function codeOf(run: () => unknown): Promise<unknown> {
  try {
    const given = (await run()) as Partial<AsyncIterator<unknown>> | undefined;
    // A generator runs when it is asked for the first time.
    if (typeof given?.next === 'function') await given.next();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof Error, String(error));
    return (error as NodeJS.ErrnoException).code ?? `no code: ${error.message}`;
  }
}

describe('a wrong this', () => {
  it('there are classes to try', () => {
    assert.ok(classes.length >= 10, classes.map(([name]) => name).join(', '));
  });

  for (const [name, type] of classes) {
    const others: unknown[] = [undefined, null, true, 7, 'x', Symbol('x'), {}, new EventEmitter(), new Duplex()];
    others.push(Object.create(type.prototype));
    others.push(name === 'Bio' ? new systemTls.BufferBio() : systemTls.Bio.memory());

    it(`${name}: each method and accessor names it`, async () => {
      const found: string[] = [];
      for (const { name: call, run } of callsOf(name, type)) {
        for (const self of others) {
          const code = await codeOf(() => run(self));
          if (code !== codes.wrongThis)
            found.push(`${call} on ${typeof self} ${String(self?.constructor?.name)}: ${code}`);
        }
      }
      assert.deepEqual(found, []);
    });

    it(`${name}: its constructor without arguments, and static methods on nothing, leave a code if they fail`, async () => {
      const attempts = [() => new type(), () => (type as unknown as () => unknown)()];
      for (const key of Object.getOwnPropertyNames(type)) {
        const value: unknown = Reflect.get(type, key);
        if (typeof value === 'function') attempts.push(() => value.call(undefined));
      }
      for (const attempt of attempts) {
        const code = await codeOf(() =>
          Promise.resolve(attempt()).then(made => (made instanceof systemTls.IoPool ? made.close() : undefined)),
        );
        // What JavaScript itself says of a class that is called as a function.
        if (attempt !== attempts[1]) assert.doesNotMatch(String(code), /^no code/);
      }
    });
  }
});
