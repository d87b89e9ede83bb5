// For which processor, OpenSSL and C library a binary is made, and what runs node there.

import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Lacking, quietly } from './debian.mjs';
import { fetchNode } from './fetch-node.mjs';
import { findOpenssl, thisMachine } from './find-openssl.mjs';
import { Stop } from './run.mjs';
import { processor, sysroot } from './sysroot.mjs';

/**
 * @typedef {object} Target
 * @property {string} arch  as process.arch
 * @property {number} major  of OpenSSL
 * @property {string} libc  'glibc' or 'musl'; '' where there is one
 * @property {boolean} native  this machine runs it, with its own OpenSSL
 */

/** process.report asks no file that a container may lack. */
function ownLibc() {
  if (process.platform !== 'linux') return '';
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report?.getReport());
  return report.header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  throw new Stop(message);
}

/** @param {string[]} args  of the command line: --arch, --openssl, --libc; each default is this machine's */
export function targetOf(args) {
  const { values } = parseArgs({
    args,
    options: { arch: { type: 'string' }, openssl: { type: 'string' }, libc: { type: 'string' } },
  });
  const own = findOpenssl(thisMachine())?.version.major;
  const libc = ownLibc();
  const target = { arch: values.arch ?? process.arch, major: Number(values.openssl ?? own), libc: values.libc ?? libc };
  if (!['x64', 'arm64'].includes(target.arch)) refuse(`--arch ${target.arch} is neither x64 nor arm64`);
  if (![3, 4].includes(target.major)) refuse(`--openssl ${values.openssl} is neither 3 nor 4`);
  if (target.libc !== libc) {
    refuse(
      `--libc ${target.libc}: a binary is made for the C library of the machine that makes it, which has ${libc || 'one of its own'}. ` +
        'That for musl is made on Alpine, as .github/workflows/prebuild.yml does.',
    );
  }
  return { ...target, native: target.arch === process.arch && target.major === own };
}

/** Where its symbols and sections are worked on. @param {Target} target */
export const toolPrefix = ({ arch }) => (arch === process.arch ? '' : `${processor(arch).triplet}-`);

/** What builds for another one than this machine. @param {Target} target @returns {Record<string, string>} */
export function buildEnvironment(target) {
  /** @type {Record<string, string>} */
  const env = { SYSTEM_TLS_SHIPS: '1' };
  if (target.native) return env;
  const { includeDir, libDir } = sysroot(target);
  Object.assign(env, { OPENSSL_INCLUDE_DIR: includeDir, OPENSSL_LIB_DIR: libDir });
  const prefix = toolPrefix(target);
  if (prefix === '') return env;
  for (const [name, tool] of [
    ['CC', 'gcc'],
    ['CXX', 'g++'],
    ['AR', 'ar'],
    ['LINK', 'g++'],
  ]) {
    env[/** @type {string} */ (name)] = `${prefix}${tool}`;
  }
  try {
    quietly(`${prefix}g++`, ['--version']);
  } catch {
    throw new Lacking(`there is no ${prefix}g++: apt-get install g++-${processor(target.arch).triplet}`);
  }
  return env;
}

/**
 * The command line that runs node there, to which a script's arguments are added.
 * @param {Target} target
 * @returns {string[]}
 */
export function nodeOn(target) {
  const here = target.arch === process.arch;
  const program = here ? process.execPath : fetchNode('20', target.arch);
  if (target.native) return [program];
  const { prefix, libDir } = sysroot(target);
  if (here) return [path.join(prefix, 'lib64/ld-linux-x86-64.so.2'), '--library-path', libDir, program];
  const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].find(name => {
    return (process.env['PATH'] ?? '').split(path.delimiter).some(folder => existsSync(path.join(folder, name)));
  });
  if (emulator === undefined) throw new Lacking('there is no qemu-aarch64-static: apt-get install qemu-user-static');
  return [emulator, '-L', prefix, program];
}
