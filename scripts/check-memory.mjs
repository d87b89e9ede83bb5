// Runs the addon under valgrind's memcheck: no invalid access in it or in OpenSSL on its behalf, and no leak that grows with the
// number of connections. Node's own noise (its JIT reads what it likes) is told apart by the images in the stack.
// AddressSanitizer cannot do this: it refuses RTLD_DEEPBIND.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root } from './run.mjs';

const few = 3;
const many = 6;
const ours = /system_tls\.node|libssl\.so|libcrypto\.so/;

/** @param {number} rounds */
function valgrind(rounds) {
  const log = path.join(root, '.cache', `valgrind-${rounds}.log`);
  const args = ['--leak-check=full', '--show-leak-kinds=definite', '--errors-for-leak-kinds=definite'];
  // The workload has stores of sessions fail, each of which is a warning.
  const flags = ['--expose-gc', '--disable-warning=SYSTEM_TLS_SESSION_STORE'];
  const program = [process.execPath, ...flags, path.join(root, 'scripts/memory/workload.mjs'), String(rounds)];
  const watched = ['--error-limit=no', '--num-callers=40', `--log-file=${log}`, ...args, ...program];
  const { status, error } = spawnSync('valgrind', watched, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw error;
  const text = readFileSync(log, 'utf8').replaceAll(/^==\d+== ?/gm, '');
  return { status, blocks: text.split(/\n\s*\n/) };
}

/** @param {string[]} blocks */
const invalid = blocks =>
  blocks.filter(
    block => /^(Invalid|Conditional jump|Use of uninit|Mismatched|Syscall param)/.test(block) && ours.test(block),
  );

/** Bytes definitely lost by what we allocated, directly and indirectly. @param {string[]} blocks */
function lost(blocks) {
  let bytes = 0;
  for (const block of blocks) {
    const match = /^([\d,]+)(?: \([^)]*\))? bytes in [\d,]+ blocks are definitely lost/.exec(block);
    if (match?.[1] !== undefined && ours.test(block)) bytes += Number(match[1].replaceAll(',', ''));
  }
  return bytes;
}

let [passed, failed] = [0, 0];

/** @param {string} name @param {boolean} good @param {string} detail */
function expect(name, good, detail) {
  console.log(`  ${good ? '✔' : '✘'} ${name}${good ? '' : `\n${detail}`}`);
  good ? passed++ : failed++;
}

if (spawnSync('valgrind', ['--version']).error) {
  console.log('valgrind is not installed: skipped');
  console.log('0 passed, 0 failed, 1 skipped');
} else {
  const first = valgrind(few);
  const second = valgrind(many);
  const found = [...invalid(first.blocks), ...invalid(second.blocks)];
  expect(
    'the workload ends well',
    first.status === 0 && second.status === 0,
    `codes ${first.status}, ${second.status}`,
  );
  expect('no invalid access', found.length === 0, found.join('\n\n'));
  const [less, more] = [lost(first.blocks), lost(second.blocks)];
  const leaks = second.blocks.filter(block => block.includes('definitely lost in') && ours.test(block));
  expect(
    `no leak that grows: ${less} bytes after ${few} rounds, ${more} after ${many}`,
    more <= less,
    leaks.join('\n\n'),
  );
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed === 0 ? 0 : 1;
}
