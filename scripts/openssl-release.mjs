// Another version of OpenSSL than the system's, from the packages of a later Debian, and programs that run on it.
// A newer OpenSSL needs a newer C library, so LD_LIBRARY_PATH cannot do it: copies of the programs are given the loader
// and the libraries of that release, while their children keep the system's.

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, Stop } from './run.mjs';

/** By OpenSSL's version, the release of Debian that ships it. */
export const releases = /** @type {Record<string, string>} */ ({ 3.5: 'trixie', 3.6: 'sid' });

const packages = [
  'libssl3t64',
  'openssl',
  'openssl-provider-legacy',
  'pkcs11-provider',
  ...['libp11-kit0', 'libffi8', 'libzstd1', 'zlib1g', 'libc6', 'libgcc-s1', 'libstdc++6'],
];
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const loaders = [
  'usr/lib64/ld-linux-x86-64.so.2',
  'lib64/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
];

/** What this machine lacks for it, which is no fault of the project. */
export class Lacking extends Error {}

/**
 * @param {string} message
 * @returns {never}
 */
function refuse(message) {
  console.error(message);
  throw new Stop(message);
}

/** @param {string} command @param {string[]} args @param {string} [cwd] */
function quietly(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The lines of a sources.list for `release`, at the places from which this machine has its own. @param {string} release */
function sourcesFor(release) {
  const own = /^VERSION_CODENAME=(\w+)$/m.exec(quietly('cat', ['/etc/os-release']))?.[1];
  const targets = quietly('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)']).trim().split('\n');
  const lines = new Set();
  for (const target of targets) {
    const [uri, suite] = target.split(' ');
    if (suite === own) lines.add(`deb [signed-by=${keyring}] ${uri} ${release} main`);
    if (suite === `${own}-security` && release !== 'sid') {
      lines.add(`deb [signed-by=${keyring}] ${uri} ${release}-security main`);
    }
  }
  if (lines.size === 0) throw new Lacking('apt has no source of Debian from which this machine was installed');
  return [...lines].join('\n');
}

/** Downloads the packages into `folder`; apt checks their signatures. @param {string} release @param {string} folder */
function download(release, folder) {
  for (const name of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  writeFileSync(path.join(folder, 'sources.list'), `${sourcesFor(release)}\n`);
  const settings = {
    'Dir::State': 'state',
    'Dir::State::status': '/dev/null',
    'Dir::Cache': 'cache',
    'Dir::Etc::SourceList': 'sources.list',
    'Dir::Etc::SourceParts': '/dev/null',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${path.resolve(folder, value)}`]);
  quietly('apt-get', [...options, 'update'], folder);
  quietly('apt-get', [...options, 'download', ...packages], folder);
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
    download(release, work);
    for (const file of readdirSync(work).filter(name => name.endsWith('.deb'))) {
      quietly('dpkg', ['-x', file, prefix], work);
    }
    if (!existsSync(folder)) renameSync(prefix, folder);
  } catch (error) {
    const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error);
    throw new Lacking(`OpenSSL ${version} cannot be had from Debian's ${release}: ${stderr?.trim() || message}`);
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
  if (loader === undefined || !existsSync(path.join(libraries, 'libssl.so.3'))) {
    refuse(`${prefix} has no dynamic loader or no usr/lib/x86_64-linux-gnu/libssl.so.3 for this machine`);
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
