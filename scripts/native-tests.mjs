// The native tests of openssl, engine and io, without node: plain, or under sanitizers that refuse to live in node.
//   node scripts/native-tests.mjs [asan] [tsan] [ubsan]

import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { isMain, root, run, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

const sanitizers = ['asan', 'tsan', 'ubsan'];

/** The program, or undefined if it does not compile. @param {string[]} chosen */
export function buildNativeTests(chosen) {
  const unknown = chosen.find(name => !sanitizers.includes(name));
  if (unknown) throw new Stop(`${unknown} is none of ${sanitizers.join(', ')}`);
  const folder = path.join(root, 'out', ['native', ...chosen].join('-'));
  const options = sanitizers.map(name => `-DSYSTEM_TLS_${name.toUpperCase()}=${chosen.includes(name) ? 'ON' : 'OFF'}`);
  const steps = /** @type {[string, string[]][]} */ ([
    ['cmake', ['-S', root, '-B', folder, '-DCMAKE_BUILD_TYPE=Debug', ...options]],
    ['cmake', ['--build', folder, '--target', 'native_tests', '--parallel', String(availableParallelism())]],
  ]);
  for (const [command, args] of steps) {
    if (run(command, args, { quiet: true }) !== 0) return undefined;
  }
  return path.join(folder, 'native_tests');
}

/** @param {string[]} chosen */
export function runNativeTests(chosen) {
  if (!existsSync(path.join(root, 'native/test'))) {
    console.log('There are no native tests.');
    return 0;
  }
  const program = buildNativeTests(chosen);
  return program === undefined ? 1 : run(program, []);
}

if (isMain(import.meta.url)) await runMain(async () => runNativeTests(process.argv.slice(2)));
