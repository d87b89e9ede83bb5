// The map whose changed copies share what stays.
import assert from 'node:assert/strict';
import { PersistentMap } from '#dist/base/persistent-map.js';

/** The same numbers each time. */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

describe('a persistent map', () => {
  it('is left as it is by those that are made of it', () => {
    const first = PersistentMap.empty<string, number>().with([['a', 1]]);
    const second = first.with([
      ['a', 2],
      ['b', 3],
    ]);
    const third = second.with([['a', undefined]]);
    const all = [first, second, third].map(map => [map.get('a'), map.get('b')]);
    assert.deepEqual(all, [
      [1, undefined],
      [2, 3],
      [undefined, 3],
    ]);
    assert.equal(PersistentMap.empty<string, number>().get('a'), undefined);
  });

  it('takes changes of one key in their order, and ignores what removes nothing', () => {
    const map = PersistentMap.empty<number, string>().with([
      [7, 'first'],
      [7, undefined],
      [8, undefined],
      [9, 'first'],
      [9, 'last'],
    ]);
    assert.deepEqual([map.get(7), map.get(8), map.get(9)], [undefined, undefined, 'last']);
  });

  it('tells keys apart that lie in the same bucket', () => {
    // 'Aa' and 'BB' have one hash, and so has all that is made of them.
    const same = ['AaAa', 'AaBB', 'BBAa', 'BBBB'];
    const map = PersistentMap.empty<string, string>().with(same.map(key => [key, key]));
    const less = map.with([['AaBB', undefined]]);
    const found = (of: PersistentMap<string, string>) => same.map(key => of.get(key));
    assert.deepEqual(found(map), same);
    assert.deepEqual(found(less), ['AaAa', undefined, 'BBAa', 'BBBB']);
    const far = 2 ** 31 - 1;
    const numbered = PersistentMap.empty<number, string>().with([far, far - 256, 0].map(key => [key, `${key}`]));
    assert.deepEqual(
      [numbered.get(far), numbered.get(far - 256), numbered.get(far - 512)],
      [`${far}`, `${far - 256}`, undefined],
    );
  });

  it('has in each of 100 generations what a Map has', () => {
    for (const keyOf of [(n: number) => n, (n: number) => `host-${n}.example`]) {
      const below = numbers(1);
      const keys = Array.from({ length: 1000 }, (_, n) => keyOf(n));
      let expected = new Map<string | number, number>();
      let map = PersistentMap.empty<string | number, number>();
      const generations = Array.from({ length: 100 }, () => {
        const changes = Array.from(
          { length: below(60) },
          () => [keyOf(below(1000)), below(3) === 0 ? undefined : below(1e6)] as const,
        );
        expected = new Map(expected);
        for (const [key, value] of changes) {
          if (value === undefined) expected.delete(key);
          else expected.set(key, value);
        }
        map = map.with(changes);
        return { map, expected };
      });
      for (const each of generations) {
        for (const key of keys) assert.equal(each.map.get(key), each.expected.get(key));
      }
    }
  });
});
