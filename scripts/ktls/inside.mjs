// Runs in the guest: the tests that need a kernel with TLS, and the native tests if they were built.
//   inside.mjs REPOSITORY NATIVE_TESTS COMMAND [ARGUMENT...]
// NATIVE_TESTS may be '-'; COMMAND starts node.

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import process from 'node:process';

const [repository = '.', nativeTests = '-', command = process.execPath, ...prefix] = process.argv.slice(2);
const tests = ['dist-test/sockets/connection/ktls.test.js', 'dist-test/sockets/connection/send-file.test.js'];
const counts = { passed: 0, failed: 0, skipped: 0 };
const countsFile = '/run/test-counts.json';
process.chdir(repository);
const env = {
  ...process.env,
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  // The tests hold the kernel to what it can here.
  SYSTEM_TLS_KTLS: '1',
  SYSTEM_TLS_TEST_COUNTS: countsFile,
};

/** @param {Record<string, string>} where */
function runMocha(where) {
  rmSync(countsFile, { force: true });
  // Without options for node, which mocha would start anew, by process.execPath: that may be a loader (see PREFIX).
  const mocha = ['node_modules/mocha/bin/mocha.js', '--no-config', '--timeout', '180000'];
  mocha.push('--reporter', './scripts/mocha-reporter.cjs', '--no-color', ...tests);
  const { status } = spawnSync(command, [...prefix, '--enable-source-maps', ...mocha], {
    stdio: 'inherit',
    env: { ...env, ...where },
  });
  const { passed, failed, skipped } = existsSync(countsFile)
    ? JSON.parse(readFileSync(countsFile, 'utf8'))
    : { passed: 0, failed: 0, skipped: 0 };
  counts.passed += passed;
  counts.failed += status !== 0 && failed === 0 ? 1 : failed;
  counts.skipped += skipped;
}

runMocha({});
console.log('\non I/O threads');
runMocha({ SYSTEM_TLS_TEST_IO: 'threads' });

if (nativeTests !== '-') {
  const native = spawnSync(nativeTests, [], { stdio: 'inherit', env });
  counts[native.status === 0 ? 'passed' : 'failed']++;
}
console.log(`guest: ${JSON.stringify(counts)}`);
