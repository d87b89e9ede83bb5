// OpenSSL's headers and libraries of another version or processor than this machine's, from Debian's packages, to build against;
// and what loads the result.

import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { aptOf, complaint, Lacking, quietly } from './debian.mjs';
import { root } from './run.mjs';

/** By node's name of a processor, Debian's and that of its compilers. */
const processors = /** @type {Record<string, { debian: string, triplet: string }>} */ ({
  x64: { debian: 'amd64', triplet: 'x86_64-linux-gnu' },
  arm64: { debian: 'arm64', triplet: 'aarch64-linux-gnu' },
});

/** The oldest of each major version that Debian has. */
const sources = /** @type {Record<number, { debian: string, packages: string[] }>} */ ({
  3: { debian: 'bookworm', packages: ['libssl-dev', 'libssl3', 'openssl'] },
  4: { debian: 'experimental', packages: ['libssl-dev/experimental', 'libssl4', 'openssl/experimental', 'libzstd1'] },
});

/** For node, and for what it loads. */
const runtime = ['libc6', 'libgcc-s1', 'libstdc++6', 'zlib1g'];

/** @param {string} arch */
export function processor(arch) {
  const known = processors[arch];
  if (known === undefined)
    throw new Lacking(`there is no sysroot for ${arch}: only for ${Object.keys(processors).join(', ')}`);
  return known;
}

/**
 * Debian keeps the headers that depend on the processor apart: one folder is enough for one processor.
 * @param {string} prefix @param {string} triplet
 */
function joinHeaders(prefix, triplet) {
  const own = path.join(prefix, 'usr/include', triplet, 'openssl');
  if (existsSync(own)) cpSync(own, path.join(prefix, 'usr/include/openssl'), { recursive: true });
}

/**
 * @typedef {object} Sysroot
 * @property {string} prefix
 * @property {string} includeDir
 * @property {string} libDir
 */

/**
 * @param {{ arch: string, major: number }} target
 * @returns {Sysroot}
 */
export function sysroot({ arch, major }) {
  const { debian, triplet } = processor(arch);
  const source = sources[major];
  if (source === undefined) throw new Lacking(`there is no OpenSSL ${major} in Debian`);
  const prefix = path.join(root, '.cache/sysroot', `openssl-${major}-${arch}`);
  const found = {
    prefix,
    includeDir: path.join(prefix, 'usr/include'),
    libDir: path.join(prefix, 'usr/lib', triplet),
  };
  if (existsSync(prefix)) return found;
  const work = `${prefix}.${process.pid}`;
  const unpacked = path.join(work, 'prefix');
  mkdirSync(unpacked, { recursive: true });
  try {
    const apt = aptOf(source.debian, work, 'deb', debian);
    apt('update');
    apt('download', ...source.packages, ...runtime);
    for (const file of readdirSync(work).filter(name => name.endsWith('.deb')))
      quietly('dpkg', ['-x', file, unpacked], work);
    joinHeaders(unpacked, triplet);
    // Where /lib is a link, the loader's own package does not bring it.
    for (const name of ['lib', 'lib64']) {
      const link = path.join(unpacked, name);
      if (!existsSync(link) && existsSync(path.join(unpacked, 'usr', name))) symlinkSync(`usr/${name}`, link);
    }
    renameSync(unpacked, prefix);
  } catch (error) {
    throw new Lacking(`OpenSSL ${major} for ${arch} cannot be had from Debian's ${source.debian}: ${complaint(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return found;
}
