// When the shared IoPool gets a thread more, and when one goes.
import assert from 'node:assert/strict';
import { Growth } from '#dist/connection/threads-by-load.js';

interface Thread {
  readonly busy: number;
  readonly connections: number;
  readonly listeners: number;
  readonly retired: boolean;
}

const thread = (busy: number, connections = 1, more: Partial<Thread> = {}): Thread => ({
  ...{ busy, connections, listeners: 0, retired: false },
  ...more,
});

type Decision = ReturnType<Growth['decide']>;

const growth = (most = 4, processors = most + 1): Growth => new Growth({ most, processors });

function held(seconds: number, threads: readonly Thread[], process = 1): Decision {
  const each = growth();
  for (let second = 1; second < seconds; second++)
    assert.equal(each.decide({ threads, process }), undefined, `${second}`);
  return each.decide({ threads, process });
}

describe('the number of threads by load', () => {
  it('grows when every thread is busy, a processor is free and there may be more', () => {
    const decide = (threads: readonly Thread[], process: number, most = 2): Decision =>
      growth(most).decide({ threads, process });
    assert.equal(decide([thread(0.9)], 1), 'grow');
    assert.equal(decide([thread(0.71)], 2.5), 'grow');
    assert.equal(decide([thread(0.69)], 1), undefined);
    assert.equal(decide([thread(1), thread(0.2)], 1, 4), undefined);
    assert.equal(decide([thread(1), thread(0.8)], 2, 4), 'grow');
    assert.equal(decide([thread(1)], 2.6), undefined);
    assert.equal(decide([thread(1), thread(1)], 2), undefined);
    assert.equal(decide([thread(1)], 1, 1), undefined);
  });

  it('counts those that are retired neither as busy nor as there', () => {
    const threads = [thread(1), thread(0, 1, { retired: true })];
    assert.equal(growth(2).decide({ threads, process: 1 }), 'grow');
    const busy = [thread(0.1), thread(1, 1, { retired: true })];
    assert.equal(growth(2).decide({ threads: busy, process: 1 }), undefined);
    assert.equal(held(30, [thread(0), thread(0, 1, { retired: true })]), undefined);
  });

  it('lets one go after ten seconds in which the others could do its work', () => {
    assert.deepEqual(held(10, [thread(0.1, 5), thread(0.1, 3)]), { retire: 1 });
    assert.deepEqual(held(10, [thread(0.1, 3), thread(0.2, 5)]), { retire: 0 });
    assert.equal(held(30, [thread(0.2, 5), thread(0.2, 3)]), undefined);
    assert.deepEqual(held(10, [thread(0.2), thread(0.2), thread(0.2, 0)]), { retire: 2 });
  });

  it('lets one without connections go while others work, unless they need it', () => {
    assert.deepEqual(held(10, [thread(0.6, 5), thread(0, 0)]), { retire: 1 });
    assert.equal(held(30, [thread(0.9, 5), thread(0, 0)]), undefined);
    assert.equal(held(30, [thread(0.6, 5), thread(0.02, 0)]), undefined);
  });

  it('keeps the last one, and one that accepts', () => {
    assert.equal(held(30, [thread(0, 0)]), undefined);
    assert.deepEqual(held(10, [thread(0, 0, { listeners: 1 }), thread(0, 4)]), { retire: 1 });
    assert.equal(held(30, [thread(0, 0, { listeners: 1 }), thread(0, 0, { listeners: 1 })]), undefined);
  });

  it('begins to count anew after a busy second, and after one has gone', () => {
    const each = growth();
    const quiet = [thread(0, 0), thread(0, 0), thread(0, 0)];
    const seconds = (count: number, threads: readonly Thread[]): Decision[] =>
      Array.from({ length: count }, () => each.decide({ threads, process: 1 }));
    const nothing = Array.from({ length: 9 }, () => undefined);
    assert.deepEqual(seconds(9, quiet), nothing);
    assert.deepEqual(seconds(1, [thread(0.9), thread(0.9), thread(0.5)]), [undefined]);
    assert.deepEqual(seconds(10, quiet), [...nothing, { retire: 0 }]);
    assert.deepEqual(seconds(10, quiet), [...nothing, { retire: 0 }]);
  });
});
