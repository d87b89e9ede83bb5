// npm test: sets up, compiles the tests (which is the type test too) and runs everything. Arguments go to mocha.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { checkIncludes } from './check-includes.mjs';
import { root, runTool, tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';

const counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * One check outside mocha counts as one test.
 * @param {string} name
 * @param {() => boolean} check
 */
function expect(name, check) {
  const good = check();
  console.log(`  ${good ? '✔' : '✘'} ${name}`);
  counts[good ? 'passed' : 'failed']++;
}

/**
 * Test files may be named by their source, test/some.test.ts; without any all are run.
 * @param {string[]} args
 */
function mochaArguments(args) {
  const compiled = args.map(arg => arg.replace(/^(?:\.\/)?test\/(.*)\.ts$/, 'dist-test/$1.js'));
  return compiled.some(arg => arg.endsWith('.test.js')) ? compiled : [...compiled, 'dist-test/**/*.test.js'];
}

/** What uses sockets, and so has to hold on I/O threads too. */
const socketSuites = [
  'http',
  'ktls',
  'peers-client-auth',
  'peers-gnutls',
  'peers-node',
  'peers-openssl',
  'peers-python',
  'post-handshake',
  'process',
  'send-file',
  'server',
  'set-fd',
  'shutdown-state',
  'socket',
  'socket-ends',
  'transports',
  'verify-waiting',
];

/**
 * @param {string[]} args
 * @param {Record<string, string>} [env]
 */
function runMocha(args, env = {}) {
  const file = path.join(root, '.cache/test-counts.json');
  rmSync(file, { force: true });
  const code = runTool('mocha/bin/mocha.js', mochaArguments(args), { env: { ...env, SYSTEM_TLS_TEST_COUNTS: file } });
  if (!existsSync(file)) {
    console.error(`mocha ended with code ${code} before it had counted`);
    counts.failed++;
    return;
  }
  const { passed, failed, skipped } = JSON.parse(readFileSync(file, 'utf8'));
  counts.passed += passed;
  counts.failed += failed;
  counts.skipped += skipped;
  if (code !== 0 && failed === 0) {
    console.error(`every test passed, yet mocha ended with code ${code}`);
    counts.failed++;
  }
}

await runMain(async () => {
  await setup();
  console.log('\nchecks');
  expect('the scripts are well typed', () => tsc(['-p', 'scripts']) === 0);
  expect('the tests are well typed, type tests included', () => tsc(['-p', 'test']) === 0);
  expect('the includes and imports point downwards', checkIncludes);
  prune('dist-test', 'test');
  const args = process.argv.slice(2);
  runMocha(args);
  if (args.length === 0) {
    console.log('\non I/O threads');
    runMocha(
      socketSuites.map(name => `test/${name}.test.ts`),
      { SYSTEM_TLS_TEST_IO: 'threads' },
    );
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed > 0 ? 1 : 0;
});
