// A map that never changes, and of which a changed copy costs little however large it is: the copy shares with it all that
// stays. What holds one of several copies keeps alive what is in that one, and no more.

/** At 10,000 entries, 40 in each. */
const buckets = 256;

function placeOf(key: string | number): number {
  if (typeof key === 'number') return key % buckets;
  let hash = 0;
  for (let index = 0; index < key.length; index++) hash = (Math.imul(hash, 31) + key.charCodeAt(index)) | 0;
  return (hash >>> 0) % buckets;
}

/** Numbers as keys are whole and not negative. */
export class PersistentMap<K extends string | number, V> {
  readonly #buckets: readonly (ReadonlyMap<K, V> | undefined)[];

  private constructor(buckets: readonly (ReadonlyMap<K, V> | undefined)[]) {
    this.#buckets = buckets;
  }

  static empty<K extends string | number, V>(): PersistentMap<K, V> {
    return new PersistentMap<K, V>(new Array<undefined>(buckets).fill(undefined));
  }

  get(key: K): V | undefined {
    return this.#buckets[placeOf(key)]?.get(key);
  }

  /** A copy with these changes, in this order. Undefined instead of a value: without that key. */
  with(changes: Iterable<readonly [K, V | undefined]>): PersistentMap<K, V> {
    const copy = [...this.#buckets];
    const own = new Map<number, Map<K, V>>();
    for (const [key, value] of changes) {
      const place = placeOf(key);
      let bucket = own.get(place);
      if (bucket === undefined) {
        bucket = new Map(copy[place]);
        own.set(place, bucket);
        copy[place] = bucket;
      }
      if (value === undefined) bucket.delete(key);
      else bucket.set(key, value);
    }
    return new PersistentMap(copy);
  }
}
