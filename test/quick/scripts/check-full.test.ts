import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chosenSteps, judgement } from '#scripts/check-full.mjs';
import { type Step, steps } from '#scripts/full-steps.mjs';
import { withResult } from '#scripts/reliability-page.mjs';
import { packageFolder } from '../../support/child.ts';

const some: Step[] = ['one', 'two', 'three'].map(name => ({ name, shows: `what ${name} shows`, run: [name] }));
const names = (list: Step[]): string[] => list.map(({ name }) => name);

describe('check:full', () => {
  it('has steps of different names that are scripts of the package', () => {
    assert.equal(new Set(names(steps)).size, steps.length);
    const { scripts } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    const absent = steps.map(({ run }) => run[0] ?? '').filter(name => scripts[name] === undefined);
    assert.deepEqual(absent, []);
  });

  it('goes on with what has not passed', () => {
    assert.deepEqual(names(chosenSteps(some, {}, name => name === 'two')), ['one', 'three']);
    assert.deepEqual(names(chosenSteps(some, {}, () => true)), []);
  });

  it('runs what is named, whether it has passed or not', () => {
    assert.deepEqual(names(chosenSteps(some, { only: ['three', 'one'] }, () => true)), ['one', 'three']);
    assert.deepEqual(names(chosenSteps(some, { from: 'two' }, () => true)), ['two', 'three']);
  });

  it('refuses a name that no step has', () => {
    for (const choice of [{ only: ['one', 'four'] }, { from: 'four' }]) {
      assert.throws(() => chosenSteps(some, choice, () => false), /no step four/);
    }
  });

  it('takes the last count for the figure, and the code for the result', () => {
    const step = some[0] as Step;
    const text = '3 passed, 0 failed\nand\n7 passed, 0 failed, 2 skipped\n';
    assert.deepEqual(judgement(step, 0, text), { passed: true, figure: '7 passed, 0 failed, 2 skipped' });
    assert.deepEqual(judgement(step, 1, '1 passed, 1 failed\n'), {
      passed: false,
      figure: '**failed**: 1 passed, 1 failed',
    });
    assert.deepEqual(judgement(step, 0, 'nothing'), { passed: true, figure: 'passed' });
    assert.deepEqual(judgement(step, null, ''), { passed: false, figure: '**failed**: code null' });
    const bench: Step = { ...step, figure: () => '1 given up', failed: () => true };
    assert.deepEqual(judgement(bench, 0, text), { passed: false, figure: '**failed**: 1 given up' });
  });
});

describe('docs/reliability.md', () => {
  const page =
    '# Title\n\nWords.\n\n| step | shows | result | took | commit | date |\n|---|---|---|---|---|---|\n\nMore.\n';
  const result = { figure: '5 passed, 0 failed', seconds: 3725, commit: 'abc1234', date: '2026-01-31' };

  it('gets one row, and keeps the others and its words', () => {
    const first = withResult(page, some, 'two', result);
    const second = withResult(first, some, 'one', { ...result, figure: 'a | b', seconds: 61 });
    const lines = second.split('\n');
    assert.deepEqual(lines.slice(6, 9), [
      '| `one` | what one shows | a \\| b | 1 min 1 s | abc1234 | 2026-01-31 |',
      '| `two` | what two shows | 5 passed, 0 failed | 1 h 2 min | abc1234 | 2026-01-31 |',
      '| `three` | what three shows | not yet | | | |',
    ]);
    assert.ok(second.startsWith('# Title\n\nWords.\n\n') && second.endsWith('|\n\nMore.\n'), second);
    assert.equal(withResult(second, some), second);
  });

  it('loses the row of a step that is gone, and puts a new one in its place', () => {
    const before = withResult(page, some, 'two', result);
    const after = withResult(before, [{ name: 'new', shows: 'news', run: ['x'] }, some[1] as Step]);
    assert.doesNotMatch(after, /`one`/);
    assert.match(after, /`new` \| news \| not yet .*\n\| `two` .* 5 passed/);
  });

  it('has a row for every step, as it is described now', () => {
    const now = readFileSync(join(packageFolder, 'docs/reliability.md'), 'utf8');
    assert.equal(withResult(now, steps), now, 'npm run check:full -- --page writes them');
  });
});
