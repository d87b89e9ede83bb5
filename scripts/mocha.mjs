// Running the compiled tests, and counting.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';

export class Counts {
  passed = 0;
  failed = 0;
  skipped = 0;

  /** @param {{ passed?: number, failed?: number, skipped?: number }} more */
  add({ passed = 0, failed = 0, skipped = 0 }) {
    this.passed += passed;
    this.failed += failed;
    this.skipped += skipped;
  }

  /** Prints the line that .ci/run adds up. Returns the exit code. */
  conclude() {
    const { passed, failed, skipped } = this;
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed > 0 ? 1 : 0;
  }
}

// What mocha's own settings would start a second node for. The other address of localhost has nobody who listens, and is
// not to be tried because the machine stood still.
const nodeFlags = ['--enable-source-maps', '--network-family-autoselection-attempt-timeout=10000'];

/** What node is to run for mocha with these arguments. @param {string[]} args */
export const mochaCommand = args => [...nodeFlags, path.join(root, 'node_modules/mocha/bin/mocha.js'), ...args];

/**
 * What a run of mocha has counted, and what is to be said about it.
 * @param {string} file  where the reporter wrote
 * @param {number | string} end  its exit code, or the signal that ended it
 * @returns {{ counts: { passed: number, failed: number, skipped: number }, complaint?: string }}
 */
export function conclusion(file, end) {
  if (!existsSync(file)) {
    const complaint = `mocha ended with code ${end} before it had counted`;
    return { counts: { passed: 0, failed: 1, skipped: 0 }, complaint };
  }
  /** @type {{ passed: number, failed: number, skipped: number }} */
  const counts = JSON.parse(readFileSync(file, 'utf8'));
  if (end === 0 || counts.failed > 0) return { counts };
  return { counts: { ...counts, failed: 1 }, complaint: `every test passed, yet mocha ended with code ${end}` };
}

/** The compiled form of a test file; other arguments stay as they are. @param {string} arg */
export const compiled = arg => arg.replace(/^(?:\.\/)?test\/(.*)\.ts$/, 'dist-test/$1.js');

/**
 * One run of mocha on this terminal. Test files may be named by their source, test/some.test.ts; without any all are run.
 * @param {string[]} args  for mocha
 * @param {{ node?: string | undefined, env?: NodeJS.ProcessEnv | undefined }} [options]
 */
export function runMocha(args, { node = process.execPath, env = {} } = {}) {
  const file = path.join(root, '.cache/test-counts.json');
  rmSync(file, { force: true });
  const words = args.map(compiled);
  if (!words.some(word => word.endsWith('.test.js'))) words.push('dist-test/**/*.test.js');
  const code = run(node, mochaCommand(words), { env: { ...env, SYSTEM_TLS_TEST_COUNTS: file } });
  const { counts, complaint } = conclusion(file, code);
  if (complaint !== undefined) console.error(complaint);
  return counts;
}
