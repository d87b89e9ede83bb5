// Looks into the binaries that ship, which `npm run prebuild` has put into prebuilds/: where they load, what they need, and how they
// are hardened. docs/platforms.md has the floors.
//   node scripts/check-binaries.mjs [FILE...]

import { existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { compareVersions, readElf } from './elf.mjs';
import { Counts } from './mocha.mjs';
import { isMain, root } from './run.mjs';
import { runMain } from './setup.mjs';

/** @typedef {import('./elf.mjs').Elf} Elf */
/** @typedef {{ arch: string, major: number, libc: string }} Target */

/** The newest that may be asked for: those of RHEL 9 and Amazon Linux 2023, and the first OpenSSL 3. */
const floors = /** @type {Record<string, string>} */ ({
  GLIBC: '2.34',
  GLIBCXX: '3.4.29',
  CXXABI: '1.3.13',
  GCC: '7.0.0',
});

const machines = /** @type {Record<string, RegExp>} */ ({ x64: /X86-64/, arm64: /AArch64/ });

const mostBytes = 2 * 1024 * 1024;

/** From prebuilds/linux-x64/system-tls.openssl3.glibc.node. @param {string} file @returns {Target | undefined} */
export function targetOf(file) {
  const match = /linux-(\w+)\/system-tls\.openssl(\d+)\.(glibc|musl)\.node$/.exec(file.replaceAll(path.sep, '/'));
  if (match === null) return undefined;
  const [, arch = '', major = '', libc = ''] = match;
  return { arch, major: Number(major), libc };
}

/** @param {Target} target */
const allowed = ({ major }) =>
  new RegExp(
    `^(lib(ssl|crypto)\\.so\\.${major}|libstdc\\+\\+\\.so\\.6|libgcc_s\\.so\\.1|lib(c|m)\\.so\\.6|ld-linux-[\\w-]+\\.so\\.\\d|` +
      'libc\\.musl-\\w+\\.so\\.1)$',
  );

/** @param {Elf} elf @param {Target} target */
function wrongNeeds({ needed, searched, newest }, target) {
  const complaints = needed.filter(name => !allowed(target).test(name)).map(name => `it needs ${name}`);
  for (const name of ['libssl', 'libcrypto']) {
    if (!needed.includes(`${name}.so.${target.major}`)) complaints.push(`it does not need ${name}.so.${target.major}`);
  }
  for (const where of searched) complaints.push(`it looks for libraries in ${where} (RPATH)`);
  const most = /** @type {Record<string, string>} */ ({ ...floors, OPENSSL: `${target.major}.0.0` });
  for (const [tag, version] of Object.entries(newest)) {
    const floor = most[tag];
    if (floor === undefined) complaints.push(`it asks for ${tag}_${version}`);
    else if (compareVersions(version, floor) > 0) complaints.push(`it asks for ${tag}_${version}, newer than ${floor}`);
  }
  return complaints;
}

/** @param {Elf} elf @param {Target} target */
function wrongHardening({ imports, loading }, { libc }) {
  const complaints = [];
  if (!loading.relro || !loading.bindNow) complaints.push('its relocations stay writable (-z relro -z now)');
  if (loading.stackExecutable) complaints.push('its stack is executable (-z noexecstack)');
  if (!imports.includes('__stack_chk_fail')) complaints.push('it has no stack protector (-fstack-protector-strong)');
  if (libc === 'glibc' && !imports.some(name => /^__\w+_chk$/.test(name))) {
    complaints.push('nothing in it is fortified (-D_FORTIFY_SOURCE=2)');
  }
  return complaints;
}

/** What is wrong with a binary that is to ship. @param {Elf} elf @param {Target} target @param {number} bytes */
export function complaintsOf(elf, target, bytes) {
  const complaints = [...wrongNeeds(elf, target), ...wrongHardening(elf, target)];
  if (!machines[target.arch]?.test(elf.machine)) complaints.unshift(`it is for ${elf.machine}`);
  if (bytes > mostBytes) complaints.push(`it has ${bytes} bytes, more than ${mostBytes}`);
  return complaints;
}

function shippedFiles() {
  const folder = path.join(root, 'prebuilds');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.node'));
  return names.sort().map(name => path.join(folder, name));
}

/** @param {Elf} elf @param {number} bytes */
function summary({ newest, properties }, bytes) {
  const versions = Object.entries(newest).map(([tag, version]) => `${tag} ${version}`);
  return [`${(bytes / 1024 / 1024).toFixed(2)} MiB`, ...versions, ...properties].join(', ');
}

/** @param {string} file */
function isGood(file) {
  const target = targetOf(file);
  const name = path.relative(root, file);
  if (target === undefined) {
    console.log(`  ✘ ${name}: its name says no platform, OpenSSL and C library`);
    return false;
  }
  const bytes = statSync(file).size;
  const elf = readElf(file);
  const complaints = complaintsOf(elf, target, bytes);
  console.log(`  ${complaints.length === 0 ? '✔' : '✘'} ${name}: ${summary(elf, bytes)}`);
  for (const complaint of complaints) console.log(`      ${complaint}`);
  return complaints.length === 0;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const named = process.argv.slice(2).map(file => path.resolve(file));
    const files = (named.length > 0 ? named : shippedFiles()).filter(file => !/darwin-/.test(file));
    const counts = new Counts();
    if (files.length === 0) {
      console.log('  ✘ there is no binary: npm run prebuild');
      counts.add({ failed: 1 });
    }
    for (const file of files) counts.add(isGood(file) ? { passed: 1 } : { failed: 1 });
    return counts.conclude();
  });
}
