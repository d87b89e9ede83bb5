// Another version of OpenSSL than the system's, from the packages of a later Debian, and programs that run on it.
// A newer OpenSSL needs a newer C library, so LD_LIBRARY_PATH cannot do it: copies of the programs are given the loader
// and the libraries of that release, while their children keep the system's.

import { copyFileSync, existsSync, mkdirSync, readdirSync, realpathSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { aptOf, complaint, Lacking, quietly } from './debian.mjs';
import { root, Stop } from './run.mjs';

/**
 * @typedef {object} Release
 * @property {string} debian  the release of Debian that ships it
 * @property {number} major  of its soname, libssl.so.N
 * @property {string[]} packages
 */

const others = ['zlib1g', 'libc6', 'libgcc-s1', 'libstdc++6'];
const tokens = ['pkcs11-provider', 'libp11-kit0', 'libffi8'];
const fromExperimental = ['openssl/experimental', 'openssl-provider-legacy/experimental', 'libssl4'];

/** By OpenSSL's version. */
export const releases = /** @type {Record<string, Release>} */ ({
  '3.0': { debian: 'bookworm', major: 3, packages: ['libssl3', 'openssl', ...others] },
  3.5: {
    debian: 'trixie',
    major: 3,
    packages: ['libssl3t64', 'openssl', 'openssl-provider-legacy', 'libzstd1', ...tokens, ...others],
  },
  3.6: {
    debian: 'sid',
    major: 3,
    packages: ['libssl3t64', 'openssl', 'openssl-provider-legacy', 'libzstd1', ...tokens, ...others],
  },
  '4.0': { debian: 'experimental', major: 4, packages: [...fromExperimental, 'libzstd1', ...others] },
});

const loaders = [
  'usr/lib64/ld-linux-x86-64.so.2',
  'lib64/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
];

/**
 * @param {string} message
 * @returns {never}
 */
function refuse(message) {
  console.error(message);
  throw new Stop(message);
}

/**
 * The folder of a version's packages, unpacked in the cache.
 * @param {string} version  a key of `releases`
 */
function fetchRelease(version) {
  const folder = path.join(root, '.cache', `openssl-${version}`);
  if (existsSync(folder)) return folder;
  const release = releases[version];
  if (release === undefined) {
    refuse(`${version} is neither a folder nor one of ${Object.keys(releases).join(', ')}`);
  }
  const work = `${folder}.${process.pid}`;
  const prefix = path.join(work, 'prefix');
  mkdirSync(prefix, { recursive: true });
  try {
    const apt = aptOf(release.debian, work);
    apt('update');
    apt('download', ...release.packages);
    for (const file of readdirSync(work).filter(name => name.endsWith('.deb'))) {
      quietly('dpkg', ['-x', file, prefix], work);
    }
    if (!existsSync(folder)) renameSync(prefix, folder);
  } catch (error) {
    throw new Lacking(`OpenSSL ${version} cannot be had from Debian's ${release.debian}: ${complaint(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return folder;
}

/**
 * What runs programs on the OpenSSL in `where`: a folder with all that it needs in usr/lib/x86_64-linux-gnu, or a version.
 * @param {string} where
 */
export function opensslRelease(where) {
  if (process.platform !== 'linux' || process.arch !== 'x64') throw new Lacking('this is for Linux on x86-64');
  const prefix = realpathSync(existsSync(where) ? where : fetchRelease(where));
  const loader = loaders.map(name => path.join(prefix, name)).find(existsSync);
  const libraries = path.join(prefix, 'usr/lib/x86_64-linux-gnu');
  const soname = `libssl.so.${releases[where]?.major ?? 3}`;
  if (loader === undefined || !existsSync(path.join(libraries, soname))) {
    refuse(`${prefix} has no dynamic loader or no usr/lib/x86_64-linux-gnu/${soname} for this machine`);
  }
  return {
    prefix,
    loader,
    libraries,
    /**
     * The copy of `program` in `folder` that uses the release's libraries.
     * @param {string} program
     * @param {string} folder
     * @param {string} [name]
     */
    copy(program, folder, name = path.basename(program)) {
      mkdirSync(folder, { recursive: true });
      const copy = path.join(folder, name);
      const work = `${copy}.${process.pid}`;
      copyFileSync(program, work);
      try {
        quietly('patchelf', ['--set-interpreter', loader, '--force-rpath', '--set-rpath', libraries, work]);
      } catch (error) {
        rmSync(work);
        const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
        throw new Lacking(code === 'ENOENT' ? 'there is no program patchelf on the PATH' : message);
      }
      renameSync(work, copy);
      return copy;
    },
    /** Its own providers, not those of the system's version. */
    env: { OPENSSL_MODULES: path.join(libraries, 'ossl-modules') },
  };
}
