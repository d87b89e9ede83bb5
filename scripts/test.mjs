// npm test: sets up, compiles the tests (which is the type test too) and runs everything. Arguments go to mocha.

import process from 'node:process';
import { checkIncludes } from './check-includes.mjs';
import { Counts, runMocha, socketTests } from './mocha.mjs';
import { tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';

const counts = new Counts();

/**
 * One check outside mocha counts as one test.
 * @param {string} name
 * @param {() => boolean} check
 */
function expect(name, check) {
  const good = check();
  console.log(`  ${good ? '✔' : '✘'} ${name}`);
  counts.add(good ? { passed: 1 } : { failed: 1 });
}

await runMain(async () => {
  await setup();
  console.log('\nchecks');
  expect('the scripts are well typed', () => tsc(['-p', 'scripts']) === 0);
  expect('the tests are well typed, type tests included', () => tsc(['-p', 'test']) === 0);
  expect('the includes and imports point downwards', checkIncludes);
  prune('dist-test', 'test');
  const args = process.argv.slice(2);
  counts.add(runMocha(args));
  if (args.length === 0) {
    console.log('\non I/O threads');
    counts.add(runMocha([socketTests], { env: { SYSTEM_TLS_TEST_IO: 'threads' } }));
  }
  return counts.conclude();
});
