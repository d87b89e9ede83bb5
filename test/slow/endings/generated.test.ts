// A sample of the generated endings; npm run test:endings draws more. See docs/endings.md.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { axisNames, type Case, caseOf, everyCase, isSensible, lineOf } from '../../endings/axes.ts';
import { allPairs, missingPairs } from '../../endings/pairs.ts';
import { randomFrom, shuffle } from '../../endings/random.ts';
import { Child } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

const product = [...everyCase()];

function endings(...args: readonly string[]): Child {
  const program = fileURLToPath(new URL('../../endings/main.js', import.meta.url));
  return new Child(process.execPath, ['--expose-gc', '--enable-source-maps', program, ...args]);
}

describe('The endings of a connection', () => {
  it('are as they should be in a sample, and the process then ends by itself', async () => {
    const child = endings('--seed', '1');
    const exit = await within(child.exited, 'the sample', 150_000);
    assert.deepEqual(exit, { code: 0, signal: null }, child.output);
    assert.match(child.output, /^\d+ passed, 0 failed$/m);
  });

  it('leave neither descriptors nor threads busy when there are many of them', async () => {
    const child = endings('--soak', '--connections', '250');
    const exit = await within(child.exited, 'the soak', 150_000);
    assert.deepEqual(exit, { code: 0, signal: null }, child.output);
    assert.match(child.output, /^2 passed, 0 failed$/m);
  });
});

describe('The cases of the endings', () => {
  it('have every pair of values that can occur together, whatever the seed', () => {
    for (const seed of [1, 2, 3]) {
      const chosen = allPairs(product, randomFrom(seed));
      assert.deepEqual(missingPairs(product, chosen), []);
      assert.ok(chosen.length < 300, `${chosen.length} cases`);
    }
  });

  it('are the same for the same seed, and others for another', () => {
    const choose = (seed: number) => allPairs(product, randomFrom(seed)).map(lineOf);
    assert.deepEqual(choose(7), choose(7));
    assert.notDeepEqual(choose(7), choose(8));
    const items = [...Array(50).keys()];
    assert.deepEqual(
      [...shuffle([...items], randomFrom(7))].sort((a, b) => a - b),
      items,
    );
  });

  it('have each value of each axis, and only what makes sense', () => {
    for (const axis of axisNames) assert.ok(new Set(product.map(each => each[axis])).size > 1, axis);
    assert.ok(product.every(isSensible));
    assert.equal(new Set(product.map(lineOf)).size, product.length);
  });

  it('are read from the line that a failure prints', () => {
    for (const each of product.slice(0, 100)) assert.deepEqual(caseOf(lineOf(each)), each);
    const line = lineOf(product[0] as Case);
    assert.throws(() => caseOf(line.replace('peer=', 'pear=')), /no axis "pear"/);
    assert.throws(() => caseOf(line.replace(/peer=[^,]*,/, '')), /"peer" is missing/);
    assert.throws(() => caseOf(line.replace(/side=[^,]*/, 'side=middle')), /"side" is one of server, client/);
    const nonsense = 'peer=close,at=tickets,side=client,on=loop,api=data,reads=late,version=1.2';
    assert.throws(() => caseOf(nonsense), /do not go together/);
  });
});
