// The tests of kernel TLS on a kernel that has it, whatever the kernel of this machine has: a user-mode Linux, which is
// an ordinary process and needs no rights. Its root is this machine's, read-only; it sees no network.
//   node scripts/test-ktls.mjs [PREFIX | VERSION]
// Another OpenSSL than the system's: as for scripts/test-openssl.mjs.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Lacking } from './debian.mjs';
import { buildNativeTests } from './native-tests.mjs';
import { opensslRelease } from './openssl-release.mjs';
import { isMain, root, run, Stop, tsc } from './run.mjs';
import { runMain, setup } from './setup.mjs';

const cache = path.join(root, '.cache', 'ktls');
// AES-GCM, and no more: a cipher that OpenSSL would give to the kernel and the kernel does not take is a case too.
const modules = ['crypto/gf128mul', 'crypto/ghash-generic', 'crypto/ctr', 'crypto/gcm', 'net/tls/tls'];
const memory = '1536M';
const patience = 300_000;

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function quietly(command, args, cwd) {
  const { status, error } = spawnSync(command, args, { cwd, stdio: 'ignore' });
  return error === undefined && status === 0;
}

/** The kernel and the folder of its modules under `prefix`, or undefined. @param {string} prefix */
function kernelIn(prefix) {
  const kernel = path.join(prefix, 'usr/bin/linux.uml');
  const versions = path.join(prefix, 'usr/lib/uml/modules');
  if (!existsSync(kernel) || !existsSync(versions)) return undefined;
  const [version] = readdirSync(versions);
  if (version === undefined) return undefined;
  const files = modules.map(name => path.join(versions, version, 'kernel', `${name}.ko`));
  return files.every(file => existsSync(file)) ? { kernel, files } : undefined;
}

/** Installed, or Debian's package unpacked in the cache. */
function findKernel() {
  const found = kernelIn('/') ?? kernelIn(cache);
  if (found !== undefined) return found;
  mkdirSync(cache, { recursive: true });
  if (!quietly('apt-get', ['download', 'user-mode-linux'], cache)) {
    throw new Lacking("Debian's package user-mode-linux is not installed and cannot be downloaded");
  }
  const [file] = readdirSync(cache).filter(name => name.endsWith('.deb'));
  if (file === undefined || !quietly('dpkg', ['-x', file, '.'], cache)) throw new Lacking(`${file} cannot be unpacked`);
  rmSync(path.join(cache, file));
  const unpacked = kernelIn(cache);
  if (unpacked === undefined) throw new Lacking("Debian's user-mode-linux has no module for TLS");
  return unpacked;
}

function compileInit() {
  const init = path.join(cache, 'init');
  mkdirSync(cache, { recursive: true });
  const args = ['-O1', '-Wall', '-Wextra', '-Werror', '-o', init, path.join(root, 'scripts/ktls/init.c')];
  if (run(process.env.CC ?? 'cc', args) !== 0) throw new Stop('the first process of the guest does not compile');
  return init;
}

/** node, by the loader of another system's libraries if there is one. @param {string | undefined} prefix */
function nodeCommand(prefix) {
  if (prefix === undefined) return [process.execPath];
  const { loader, libraries } = opensslRelease(prefix);
  return [loader, '--library-path', libraries, process.execPath];
}

/** @param {string | undefined} prefix */
function runGuest(prefix) {
  const { kernel, files } = findKernel();
  const native = buildNativeTests([]);
  if (native === undefined) return 1;
  const node = nodeCommand(prefix);
  const inside = [path.join(root, 'scripts/ktls/inside.mjs'), root, prefix === undefined ? native : '-', ...node];
  const boot = [`mem=${memory}`, 'rootfstype=hostfs', 'ro', 'quiet', 'con=null', 'con0=null,fd:1'];
  const args = [...boot, `init=${compileInit()}`, '--', files.join(':'), ...node, ...inside, ':'];
  if (args.some(arg => arg.includes(' '))) throw new Lacking('the path of this folder has a blank in it');
  const guest = spawnSync(kernel, args, { stdio: ['ignore', 'pipe', 'ignore'], timeout: patience, encoding: 'utf8' });
  if (guest.error !== undefined) console.error(`the guest: ${guest.error.message}`);
  const output = guest.stdout ?? '';
  process.stdout.write(output);
  return conclude(output);
}

/** @param {string} output */
function conclude(output) {
  const line = /^guest: (\{.*\})\s*$/m.exec(output)?.[1];
  const { passed, failed, skipped } = line === undefined ? { passed: 0, failed: 1, skipped: 0 } : JSON.parse(line);
  if (line === undefined) console.error('the guest ended before its tests did');
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
  return failed > 0 ? 1 : 0;
}

/** @param {string | undefined} prefix */
async function main(prefix) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Lacking('user-mode Linux is for Linux on x86-64');
  await setup();
  if (tsc(['-p', 'scripts']) !== 0 || tsc(['-p', 'test']) !== 0) return 1;
  return runGuest(prefix);
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    try {
      return await main(process.argv[2]);
    } catch (error) {
      if (!(error instanceof Lacking)) throw error;
      console.log(`skipped: ${error.message}`);
      console.log('0 passed, 0 failed, 1 skipped');
      return 0;
    }
  });
}
