// Running the compiled tests, and counting.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';

/** What uses sockets, and so has to hold on I/O threads too. */
export const socketTests = 'dist-test/sockets/*.test.js';

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

/**
 * Test files may be named by their source, test/some.test.ts; without any all are run.
 * @param {string[]} args
 */
function mochaArguments(args) {
  const compiled = args.map(arg => arg.replace(/^(?:\.\/)?test\/(.*)\.ts$/, 'dist-test/$1.js'));
  return compiled.some(arg => arg.endsWith('.test.js')) ? compiled : [...compiled, 'dist-test/**/*.test.js'];
}

/**
 * @param {string[]} args  for mocha
 * @param {{ node?: string, env?: NodeJS.ProcessEnv }} [options]
 */
export function runMocha(args, { node = process.execPath, env = {} } = {}) {
  const file = path.join(root, '.cache/test-counts.json');
  rmSync(file, { force: true });
  const code = run(node, [path.join(root, 'node_modules/mocha/bin/mocha.js'), ...mochaArguments(args)], {
    env: { ...env, SYSTEM_TLS_TEST_COUNTS: file },
  });
  if (!existsSync(file)) {
    console.error(`mocha ended with code ${code} before it had counted`);
    return { failed: 1 };
  }
  /** @type {{ passed: number, failed: number, skipped: number }} */
  const counts = JSON.parse(readFileSync(file, 'utf8'));
  if (code !== 0 && counts.failed === 0) {
    console.error(`every test passed, yet mocha ended with code ${code}`);
    counts.failed = 1;
  }
  return counts;
}
