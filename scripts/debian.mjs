// Packages of another release of Debian than this machine's: apt fetches them with settings of its own, checks their
// signatures, and installs nothing.

import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** What this machine lacks for it, which is no fault of the project. */
export class Lacking extends Error {}

/** @param {string} command @param {string[]} args @param {string} [cwd] */
export function quietly(command, args, cwd) {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What a program said that failed. @param {unknown} error */
export function complaint(error) {
  const { stderr, message } = /** @type {Error & { stderr?: string }} */ (error);
  return stderr?.trim() || message;
}

/** What is in experimental stands on sid. @param {string} release */
const suitesOf = release => (release === 'experimental' ? ['experimental', 'sid'] : [release]);

/** @param {string} release */
const securityOf = release => (release === 'sid' || release === 'experimental' ? [] : [`${release}-security`]);

/**
 * The lines of a sources.list for `release`, at the places from which this machine has its own.
 * @param {string} release @param {'deb' | 'deb-src'} type
 */
function sourcesFor(release, type) {
  const own = /^VERSION_CODENAME=(\w+)$/m.exec(quietly('cat', ['/etc/os-release']))?.[1];
  const targets = quietly('apt-get', ['indextargets', '--format', '$(REPO_URI) $(RELEASE)']).trim().split('\n');
  const lines = new Set();
  for (const target of targets) {
    const [uri, suite] = target.split(' ');
    const suites = suite === own ? suitesOf(release) : suite === `${own}-security` ? securityOf(release) : [];
    for (const each of suites) lines.add(`${type} [signed-by=${keyring}] ${uri} ${each} main`);
  }
  if (lines.size === 0) throw new Lacking('apt has no source of Debian from which this machine was installed');
  return [...lines].join('\n');
}

/**
 * apt-get for packages of `release`, whose lists and caches are in `folder`, where it also puts what it downloads.
 * @param {string} release @param {string} folder @param {'deb' | 'deb-src'} [type]
 * @param {string} [architecture]  as Debian names it; default: this machine's
 * @returns {(...args: string[]) => string}
 */
export function aptOf(release, folder, type = 'deb', architecture) {
  for (const name of ['state/lists/partial', 'cache/archives/partial']) {
    mkdirSync(path.join(folder, name), { recursive: true });
  }
  writeFileSync(path.join(folder, 'sources.list'), `${sourcesFor(release, type)}\n`);
  const settings = {
    'Dir::State': 'state',
    'Dir::State::status': '/dev/null',
    'Dir::Cache': 'cache',
    'Dir::Etc::SourceList': 'sources.list',
    'Dir::Etc::SourceParts': '/dev/null',
  };
  const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${path.resolve(folder, value)}`]);
  if (architecture) options.push('-o', `APT::Architecture=${architecture}`, '-o', `APT::Architectures=${architecture}`);
  return (...args) => quietly('apt-get', [...options, ...args], folder);
}
