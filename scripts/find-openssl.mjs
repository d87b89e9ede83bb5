// Where the system's OpenSSL is: headers to compile against, library to link. Both builds ask here.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * What the search may ask of the machine; replaced in tests.
 * @typedef {object} Machine
 * @property {NodeJS.Platform} platform
 * @property {Record<string, string | undefined>} env
 * @property {(file: string) => boolean} exists
 * @property {(file: string) => string} read
 * @property {(command: string, args: string[]) => string | undefined} run  standard output, trimmed; undefined if it failed
 */

/**
 * @typedef {object} Version
 * @property {number} major
 * @property {number} minor
 * @property {number} patch
 */

/**
 * @typedef {object} Openssl
 * @property {string} source  which step of the search found it
 * @property {string} includeDir  the folder that holds openssl/ssl.h
 * @property {string | undefined} libDir  undefined: where the linker looks by itself
 * @property {boolean} explicit  named by the user, so the library must be found there at run time too, unless this is built to
 *   ship (SYSTEM_TLS_SHIPS): then it is wherever the system of that day has it
 * @property {Version} version
 */

/** @typedef {{ source: string, includeDirs: string[], libDirs: string[], explicit: boolean }} Candidate */

const MINIMUM_MAJOR = 3;

/** @returns {Machine} */
export function thisMachine() {
  return {
    platform: process.platform,
    env: process.env,
    exists: existsSync,
    read: file => readFileSync(file, 'utf8'),
    run(command, args) {
      try {
        return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * The version that opensslv.h states; undefined for OpenSSL 1.x and for what is no OpenSSL.
 * @param {string} header
 * @returns {Version | undefined}
 */
export function parseVersion(header) {
  /** @param {string} part */
  const number = part => {
    const match = new RegExp(`^\\s*#\\s*define\\s+OPENSSL_VERSION_${part}\\s+(\\d+)`, 'm').exec(header);
    return match ? Number(match[1]) : undefined;
  };
  const [major, minor, patch] = [number('MAJOR'), number('MINOR'), number('PATCH')];
  return major === undefined || minor === undefined || patch === undefined ? undefined : { major, minor, patch };
}

/**
 * The folders in the output of pkg-config --cflags-only-I or --libs-only-L.
 * @param {string} output
 * @param {'-I' | '-L'} flag
 */
export function parseFlags(output, flag) {
  return output
    .split(/\s+/)
    .filter(word => word.startsWith(flag))
    .map(word => word.slice(flag.length));
}

/**
 * @param {Machine} machine
 * @returns {Candidate | undefined}
 */
function fromEnvironment({ env }) {
  if (env.OPENSSL_INCLUDE_DIR) {
    const libDirs = env.OPENSSL_LIB_DIR ? [env.OPENSSL_LIB_DIR] : [];
    return { source: 'OPENSSL_INCLUDE_DIR', includeDirs: [env.OPENSSL_INCLUDE_DIR], libDirs, explicit: true };
  }
  for (const name of ['OPENSSL_ROOT_DIR', 'OPENSSL_DIR']) {
    const root = env[name];
    if (!root) continue;
    const libDirs = env.OPENSSL_LIB_DIR ? [env.OPENSSL_LIB_DIR] : [`${root}/lib64`, `${root}/lib`];
    return { source: name, includeDirs: [`${root}/include`], libDirs, explicit: true };
  }
  return undefined;
}

/**
 * @param {Machine} machine
 * @returns {Candidate | undefined}
 */
function fromPkgConfig({ run, env }) {
  const command = env.PKG_CONFIG ?? 'pkg-config';
  const includeDir = run(command, ['--variable=includedir', 'openssl']);
  if (!includeDir) return undefined;
  const includes = run(command, ['--cflags-only-I', 'openssl']) ?? '';
  const libs = run(command, ['--libs-only-L', 'openssl']) ?? '';
  return {
    source: 'pkg-config',
    includeDirs: [...parseFlags(includes, '-I'), includeDir],
    libDirs: parseFlags(libs, '-L'),
    explicit: false,
  };
}

/**
 * @param {Machine} machine
 * @returns {Candidate[]}
 */
function fromMacPackages({ platform, run }) {
  if (platform !== 'darwin') return [];
  const prefixes = ['openssl@3', 'openssl'].map(formula => run('brew', ['--prefix', formula]));
  prefixes.push('/opt/homebrew/opt/openssl@3', '/usr/local/opt/openssl@3');
  const homebrew = prefixes
    .filter(prefix => prefix !== undefined && prefix !== '')
    .map(prefix => ({
      source: 'Homebrew',
      includeDirs: [`${prefix}/include`],
      libDirs: [`${prefix}/lib`],
      explicit: false,
    }));
  const macports = ['/opt/local/libexec/openssl3', '/opt/local'].map(prefix => ({
    source: 'MacPorts',
    includeDirs: [`${prefix}/include`],
    libDirs: [`${prefix}/lib`],
    explicit: false,
  }));
  return [...homebrew, ...macports];
}

/**
 * @param {Machine} machine
 * @returns {Candidate[]}
 */
function fromDefaults({ platform }) {
  if (platform === 'darwin') return [];
  return [
    { source: 'default', includeDirs: ['/usr/include'], libDirs: [], explicit: false },
    {
      source: 'default',
      includeDirs: ['/usr/local/include'],
      libDirs: ['/usr/local/lib64', '/usr/local/lib'],
      explicit: false,
    },
  ];
}

/**
 * @param {Machine} machine
 * @param {Candidate} candidate
 * @returns {Openssl | undefined}
 */
function check(machine, { source, includeDirs, libDirs, explicit }) {
  for (const includeDir of includeDirs) {
    const file = path.posix.join(includeDir, 'openssl/opensslv.h');
    if (!machine.exists(file)) continue;
    const version = parseVersion(machine.read(file));
    if (version === undefined || version.major < MINIMUM_MAJOR) continue;
    const libDir = libDirs.find(dir => holdsLibrary(machine, dir));
    if (libDir === undefined && (explicit || source === 'Homebrew' || source === 'MacPorts') && libDirs.length > 0)
      continue;
    return { source, includeDir, libDir, explicit, version };
  }
  return undefined;
}

/**
 * @param {Machine} machine
 * @param {string} dir
 */
function holdsLibrary({ exists, platform }, dir) {
  return exists(path.posix.join(dir, platform === 'darwin' ? 'libssl.dylib' : 'libssl.so'));
}

/** @param {Machine} machine @param {Openssl | undefined} found */
function shipping({ env }, found) {
  return found && env.SYSTEM_TLS_SHIPS === '1' ? { ...found, explicit: false } : found;
}

/**
 * What the user named is taken or nothing is: falling back silently would link what they did not choose.
 * @param {Machine} machine
 * @returns {Openssl | undefined}
 */
export function findOpenssl(machine) {
  const named = fromEnvironment(machine);
  if (named) return shipping(machine, check(machine, named));
  const pkgConfig = fromPkgConfig(machine);
  const candidates = [...(pkgConfig ? [pkgConfig] : []), ...fromMacPackages(machine), ...fromDefaults(machine)];
  for (const candidate of candidates) {
    const found = check(machine, candidate);
    if (found) return found;
  }
  return undefined;
}

const SEARCHED_BY_COMPILER = new Set(['/usr/include']);

/**
 * @param {Openssl} openssl
 * @returns {string[]}
 */
export function includeFlags({ includeDir }) {
  return SEARCHED_BY_COMPILER.has(path.posix.normalize(includeDir)) ? [] : [`-I${includeDir}`];
}

/**
 * @param {Openssl} openssl
 * @returns {string[]}
 */
export function linkFlags({ libDir, explicit }) {
  const flags = libDir ? [`-L${libDir}`] : [];
  if (libDir && explicit) flags.push(`-Wl,-rpath,${libDir}`);
  return [...flags, '-lssl', '-lcrypto'];
}

/**
 * What native/openssl/library/headers.h compares with the headers that the compiler really took.
 * @param {Openssl} openssl
 * @returns {string[]}
 */
export function defines({ version }) {
  return [
    `SYSTEM_TLS_OPENSSL_MAJOR=${version.major}`,
    `SYSTEM_TLS_OPENSSL_MINOR=${version.minor}`,
    `SYSTEM_TLS_OPENSSL_PATCH=${version.patch}`,
  ];
}
