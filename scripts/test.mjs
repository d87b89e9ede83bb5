// npm test: sets up, compiles the tests (which is the type test too) and runs all that are not slow, or what lies in the folders
// that are named (test/sockets; test/ for all). Other arguments go to mocha.

import process from 'node:process';
import { checkIncludes } from './check-includes.mjs';
import { Counts } from './mocha.mjs';
import { tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';
import { runTests } from './side-by-side.mjs';

const counts = new Counts();

/**
 * One check outside mocha counts as one test.
 * @param {string} name
 * @param {() => boolean} check
 */
function expect(name, check) {
  const since = performance.now();
  const good = check();
  console.log(`  ${good ? '✔' : '✘'} ${name} (${((performance.now() - since) / 1000).toFixed(1)} s)`);
  counts.add(good ? { passed: 1 } : { failed: 1 });
}

await runMain(async () => {
  await setup();
  console.log('\nchecks');
  expect('the scripts are well typed', () => tsc(['-p', 'scripts']) === 0);
  expect('the tests are well typed, type tests included', () => tsc(['-p', 'test']) === 0);
  expect('the includes and imports point downwards', checkIncludes);
  prune('dist-test', 'test');
  counts.add(await runTests(process.argv.slice(2)));
  return counts.conclude();
});
