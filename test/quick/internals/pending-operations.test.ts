import assert from 'node:assert/strict';
import { PendingOperations } from '#dist/transport/pending-operations.js';

describe('pending operations', () => {
  const named = (name: string) => ({ name });

  it('one, then none, then another', () => {
    const all = new PendingOperations<object>();
    for (const op of [1, 2]) {
      const pending = named(`${op}`);
      all.set(op, pending);
      assert.ok(all.has(op) && !all.has(op + 1));
      assert.equal(all.size, 1);
      assert.equal(all.take(op), pending);
      assert.equal(all.take(op), undefined);
      assert.equal(all.size, 0);
      assert.ok(!all.has(op));
    }
  });

  it('many, taken in any order, and the rest in the order in which they came', () => {
    const all = new PendingOperations<{ readonly name: string }>();
    for (const op of [3, 1, 2, 5]) all.set(op, named(`${op}`));
    assert.equal(all.take(3)?.name, '3');
    // The place of the first is free, but this one came last.
    all.set(4, named('4'));
    assert.equal(all.take(2)?.name, '2');
    assert.equal(all.take(9), undefined);
    assert.equal(all.size, 3);
    assert.deepEqual(
      all.takeAll().map(({ name }) => name),
      ['1', '5', '4'],
    );
    assert.equal(all.size, 0);
    assert.deepEqual(all.takeAll(), []);
  });

  it('the same number twice: the later one holds', () => {
    const all = new PendingOperations<object>();
    const [first, second] = [named('a'), named('b')];
    all.set(1, first);
    all.set(1, second);
    assert.equal(all.size, 1);
    assert.equal(all.take(1), second);
  });
});
