// What the build needs from the machine, and the command that installs what is missing.

import { findOpenssl } from './find-openssl.mjs';

/** @typedef {import('./find-openssl.mjs').Machine} Machine */
/** @typedef {'compiler' | 'make' | 'python' | 'pkg-config' | 'openssl'} Need */

/** @type {Record<Need, { name: string, debian: string, fedora: string, alpine: string, macos: string }>} */
const needs = {
  compiler: {
    name: 'a C++20 compiler (g++ 11, clang++ 14 or newer)',
    debian: 'g++',
    fedora: 'gcc-c++',
    alpine: 'g++',
    macos: 'xcode',
  },
  make: { name: 'make', debian: 'make', fedora: 'make', alpine: 'make', macos: 'xcode' },
  python: {
    name: 'python3 (node-gyp runs on it)',
    debian: 'python3',
    fedora: 'python3',
    alpine: 'python3',
    macos: 'xcode',
  },
  'pkg-config': {
    name: 'pkg-config (it says where OpenSSL is)',
    debian: 'pkg-config',
    fedora: 'pkgconf-pkg-config',
    alpine: 'pkgconf',
    macos: 'pkgconf',
  },
  openssl: {
    name: "the headers of the system's OpenSSL, 3.0 or newer",
    debian: 'libssl-dev',
    fedora: 'openssl-devel',
    alpine: 'openssl-dev',
    macos: 'openssl@3',
  },
};

const program = `#include <span>
#include <string>
int main() { std::string text = "ok"; return std::span<char>(text).size() == 2 ? 0 : 1; }
`;

/**
 * The compilers that make would take, in its order.
 * @param {Machine} machine
 */
function compilers({ env }) {
  return env.CXX ? [env.CXX] : ['g++', 'c++', 'clang++'];
}

/**
 * @param {Machine} machine
 * @param {(compiler: string, source: string) => boolean} compiles
 * @returns {string | undefined}
 */
export function findCompiler(machine, compiles) {
  return compilers(machine).find(compiler => compiles(compiler, program));
}

/**
 * @param {Machine} machine
 * @param {(compiler: string, source: string) => boolean} compiles
 * @returns {Need[]}
 */
export function missingNeeds(machine, compiles) {
  /** @type {Need[]} */
  const missing = [];
  if (findCompiler(machine, compiles) === undefined) missing.push('compiler');
  if (machine.run(machine.env.MAKE ?? 'make', ['--version']) === undefined) missing.push('make');
  const pythons = [machine.env.npm_config_python, machine.env.PYTHON, 'python3', 'python'];
  const check = 'import sys; sys.exit(sys.version_info < (3, 8))';
  if (!pythons.some(name => name && machine.run(name, ['-c', check]) !== undefined)) missing.push('python');
  if (findOpenssl(machine) === undefined) {
    const tool = machine.env.PKG_CONFIG ?? 'pkg-config';
    if (machine.platform !== 'darwin' && machine.run(tool, ['--version']) === undefined) missing.push('pkg-config');
    missing.push('openssl');
  }
  return missing;
}

/**
 * The exact commands, by system.
 * @param {Need[]} missing
 * @returns {[system: string, command: string][]}
 */
export function installCommands(missing) {
  /** @param {'debian' | 'fedora' | 'alpine'} system */
  const packages = system => missing.map(need => needs[need][system]).join(' ');
  const formulas = missing.map(need => needs[need].macos);
  const brew = formulas.filter(formula => formula !== 'xcode');
  const macos = [
    ...(formulas.includes('xcode') ? ['xcode-select --install'] : []),
    ...(brew.length > 0 ? [`brew install ${brew.join(' ')}`] : []),
  ];
  return [
    ['Debian, Ubuntu', `apt-get update && apt-get install -y ${packages('debian')}`],
    ['Fedora', `dnf install -y ${packages('fedora')}`],
    ['Alpine', `apk add ${packages('alpine')}`],
    ['macOS', macos.join(' && ')],
  ];
}

/**
 * @param {Need[]} missing
 * @param {Record<string, string | undefined>} env
 */
export function explainMissing(missing, env) {
  const lines = ['This machine lacks what the addon is built with:'];
  for (const need of missing) lines.push(`  - ${needs[need].name}`);
  const named = ['OPENSSL_ROOT_DIR', 'OPENSSL_DIR', 'OPENSSL_INCLUDE_DIR'].find(name => env[name]);
  if (missing.includes('openssl') && named) {
    lines.push(`    (only ${named}=${env[named]} was searched; it must hold headers and a shared libssl)`);
  }
  lines.push('Install it with:');
  for (const [system, command] of installCommands(missing)) lines.push(`  ${system.padEnd(15)} ${command}`);
  return lines.join('\n');
}
