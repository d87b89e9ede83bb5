// Runs in the guest: the tests that need a kernel with TLS, and the native tests if they were built.
//   inside.mjs REPOSITORY [NATIVE_TESTS]

import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

const [repository = '.', nativeTests] = process.argv.slice(2);
const tests = ['dist-test/ktls.test.js', 'dist-test/send-file.test.js'];
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

const mocha = ['node_modules/mocha/bin/mocha.js', '--no-color', ...tests];
const { status } = spawnSync(process.execPath, [...process.execArgv, ...mocha], { stdio: 'inherit', env });
if (existsSync(countsFile)) Object.assign(counts, JSON.parse(readFileSync(countsFile, 'utf8')));
if (status !== 0 && counts.failed === 0) counts.failed++;

if (nativeTests !== undefined) {
  const native = spawnSync(nativeTests, [], { stdio: 'inherit', env });
  counts[native.status === 0 ? 'passed' : 'failed']++;
}
console.log(`guest: ${JSON.stringify(counts)}`);
