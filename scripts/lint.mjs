// Lint and format of TypeScript, JavaScript and C++. With --fix it writes what it would complain about.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { cmakeJs, debugFolder } from './build-debug.mjs';
import { checkHeaders } from './check-headers.mjs';
import { thisMachine } from './find-openssl.mjs';
import { isMain, root, run, runTool } from './run.mjs';
import { runMain, setup } from './setup.mjs';
import { filesBelow } from './stamps.mjs';

const counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * @param {string} name
 * @param {() => boolean} check
 * @param {string} [program]  skipped, with a word about it, where this is not installed
 */
function expect(name, check, program) {
  const absent = program !== undefined && thisMachine().run(program, ['--version']) === undefined;
  const outcome = absent ? 'skipped' : check() ? 'passed' : 'failed';
  counts[outcome]++;
  const mark = { passed: '✔', failed: '✘', skipped: '-' }[outcome];
  console.log(`  ${mark} ${name}${absent ? ` (skipped: ${program} is not installed)` : ''}`);
}

/** @param {string[]} extensions */
const nativeFiles = extensions => filesBelow(['native']).filter(file => extensions.includes(path.extname(file)));

/** @param {boolean} fix */
function clangFormat(fix) {
  return run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...nativeFiles(['.h', '.cc'])]) === 0;
}

/** run-clang-tidy comes with clang-tidy and uses every processor. */
function clangTidy() {
  if (cmakeJs('configure') !== 0) return false;
  const jobs = ['-j', String(availableParallelism())];
  return run('run-clang-tidy', ['-quiet', '-p', debugFolder, ...jobs, '/native/'], { quiet: true }) === 0;
}

const biome = (/** @type {string[]} */ args) => runTool('@biomejs/biome/bin/biome', args) === 0;

/** @param {boolean} fix */
export async function lint(fix) {
  await setup();
  console.log('lint');
  expect('biome', () => biome(fix ? ['check', '--write', '.'] : ['check', '--error-on-warnings', '.']));
  expect('clang-format', () => clangFormat(fix), 'clang-format');
  if (!fix) {
    expect('publint', () => runTool('publint/src/cli.js', ['--strict']) === 0);
    expect("both builds read the system's OpenSSL headers", checkHeaders, 'cmake');
    if (existsSync(path.join(root, '.clang-tidy'))) expect('clang-tidy', clangTidy, 'clang-tidy');
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(() => lint(process.argv.includes('--fix')));
