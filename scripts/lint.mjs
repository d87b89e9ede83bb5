// Lint and format of TypeScript, JavaScript and C++. With --fix it writes what it would complain about. With --changed clang-tidy,
// which takes minutes, reads what changed since the commit in CI_BASE, or else in the last twenty commits.

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { cmakeJs, debugFolder } from './build-debug.mjs';
import { sourcesOfChange } from './changed-sources.mjs';
import { checkHeaders } from './check-headers.mjs';
import { thisMachine } from './find-openssl.mjs';
import { isMain, root, run, runTool } from './run.mjs';
import { runMain, setup } from './setup.mjs';
import { filesBelow } from './stamps.mjs';

const counts = { passed: 0, failed: 0, skipped: 0 };

/**
 * @param {string} name
 * @param {() => boolean | Promise<boolean>} check
 * @param {string} [program]  skipped, with a word about it, where this is not installed
 */
async function expect(name, check, program) {
  const since = performance.now();
  const absent = program !== undefined && thisMachine().run(program, ['--version']) === undefined;
  const outcome = absent ? 'skipped' : (await check()) ? 'passed' : 'failed';
  counts[outcome]++;
  const mark = { passed: '✔', failed: '✘', skipped: '-' }[outcome];
  const seconds = ((performance.now() - since) / 1000).toFixed(1);
  console.log(`  ${mark} ${name} ${absent ? `(skipped: ${program} is not installed)` : `(${seconds} s)`}`);
}

/** @param {string[]} extensions */
const nativeFiles = extensions => filesBelow(['native']).filter(file => extensions.includes(path.extname(file)));

/** @param {boolean} fix */
function clangFormat(fix) {
  return run('clang-format', [...(fix ? ['-i'] : ['--dry-run', '--Werror']), ...nativeFiles(['.h', '.cc'])]) === 0;
}

/**
 * run-clang-tidy comes with clang-tidy and uses every processor.
 * @param {string[] | undefined} sources  undefined: all
 */
function clangTidy(sources) {
  if (sources?.length === 0) return true;
  if (cmakeJs('configure') !== 0) return false;
  const jobs = ['-j', String(availableParallelism())];
  const files = sources?.map(file => `/${file.replaceAll('.', '\\.')}$`) ?? ['/native/'];
  return run('run-clang-tidy', ['-quiet', '-p', debugFolder, ...jobs, ...files], { quiet: true }) === 0;
}

/** @param {boolean} onlyChanged */
async function expectClangTidy(onlyChanged) {
  if (!existsSync(path.join(root, '.clang-tidy'))) return;
  const sources = onlyChanged ? sourcesOfChange() : undefined;
  const name =
    sources === undefined ? 'clang-tidy' : `clang-tidy of the ${sources.length} sources that a change concerns`;
  await expect(name, () => clangTidy(sources), 'clang-tidy');
}

const biome = (/** @type {string[]} */ args) => runTool('@biomejs/biome/bin/biome', args) === 0;

/** @param {{ fix?: boolean, onlyChanged?: boolean }} [options] */
export async function lint({ fix = false, onlyChanged = false } = {}) {
  await setup();
  console.log('lint');
  await expect('biome', () => biome(fix ? ['check', '--write', '.'] : ['check', '--error-on-warnings', '.']));
  await expect('clang-format', () => clangFormat(fix), 'clang-format');
  if (!fix) {
    await expect('publint', () => runTool('publint/src/cli.js', ['--strict']) === 0);
    await expect("both builds read the system's OpenSSL headers", checkHeaders, 'cmake');
    await expectClangTidy(onlyChanged);
  }
  const { passed, failed, skipped } = counts;
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed > 0 ? 1 : 0;
}

if (isMain(import.meta.url))
  await runMain(() => lint({ fix: process.argv.includes('--fix'), onlyChanged: process.argv.includes('--changed') }));
