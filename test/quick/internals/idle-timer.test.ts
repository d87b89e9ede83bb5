// The timer under TlsSocket.setTimeout(), with a clock of the test's own for what happens below it.
import assert from 'node:assert/strict';
import { IdleTimer } from '#dist/stream/idle-timer.js';
import { sleep, until } from '../../support/wait.ts';

const milliseconds = 20;

/** What was asked for and told, in order. `answers`: the idle times, the last one again and again. */
function make(answers: readonly number[]) {
  const events: string[] = [];
  let asked = 0;
  const timer = new IdleTimer(
    () => events.push('expired'),
    () => {
      const idleTime = answers[Math.min(asked++, answers.length - 1)] as number;
      events.push(`idle for ${idleTime}`);
      return idleTime;
    },
  );
  return { timer, events };
}

describe('the idle timer', () => {
  it('asks when the time is over, and again after the rest of it', async () => {
    const { timer, events } = make([0, 19, 20]);
    timer.set(milliseconds);
    await until(() => events.includes('expired'), 'the end');
    assert.deepEqual(events, ['idle for 0', 'idle for 19', 'idle for 20', 'expired']);
    timer.stop();
  });

  it('expires once, until something happens', async () => {
    const { timer, events } = make([1000]);
    timer.set(milliseconds);
    await until(() => events.includes('expired'), 'the end');
    await sleep(3 * milliseconds);
    assert.deepEqual(events, ['idle for 1000', 'expired'], 'nor is anything asked');
    timer.touch();
    await until(() => events.filter(event => event === 'expired').length === 2, 'the second end');
    timer.stop();
  });

  it('does not expire as long as something happens below it', async () => {
    const { timer, events } = make([0]);
    timer.set(1);
    await until(() => events.length > 10, 'many questions');
    assert.ok(!events.includes('expired'));
    timer.stop();
    const { length } = events;
    await sleep(10);
    assert.equal(events.length, length, 'nor is asked when it was stopped, in the rest of its time');
  });

  it('set to 0 is stopped, and set again runs', async () => {
    const { timer, events } = make([1000]);
    timer.set(milliseconds);
    timer.set(0);
    await sleep(3 * milliseconds);
    assert.equal(events.length, 0);
    timer.set(milliseconds);
    assert.equal(timer.milliseconds, milliseconds);
    await until(() => events.includes('expired'), 'the end');
    timer.stop();
  });

  it('set again and again, to the same time or another one, counts from the last time', async () => {
    const { timer, events } = make([1000]);
    timer.set(milliseconds);
    timer.set(0);
    timer.set(milliseconds);
    const begin = performance.now();
    timer.set(4 * milliseconds);
    await until(() => events.includes('expired'), 'the end');
    // Timers of node's may be a millisecond early.
    assert.ok(performance.now() - begin >= 4 * milliseconds - 1);
    timer.stop();
    await sleep(5 * milliseconds);
    assert.equal(events.filter(event => event === 'expired').length, 1, 'stopped, it tells nothing');
  });
});
