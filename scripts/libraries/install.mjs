// The libraries, as they are in test/libraries/package-lock.json, and the applications beside them.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { npm, root, Stop } from '../run.mjs';
import { dependenciesMatch } from '../setup.mjs';

const source = path.join(root, 'test/libraries');

/** Where they run. */
export const folder = path.join(root, '.cache/libraries');

/** @param {string} file */
const packages = file => (existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).packages : {});

/** Whose version is asked. @param {string} name @returns {string} */
export function versionOf(name) {
  return JSON.parse(readFileSync(path.join(folder, 'node_modules', name, 'package.json'), 'utf8')).version;
}

export function install() {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    if (name !== 'node_modules') rmSync(path.join(folder, name), { recursive: true });
  }
  cpSync(source, folder, { recursive: true, filter: file => !file.startsWith(path.join(source, 'node_modules')) });
  const installed = packages(path.join(folder, 'node_modules/.package-lock.json'));
  if (!dependenciesMatch(packages(path.join(folder, 'package-lock.json')), installed)) {
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'];
    if (npm(['ci', ...flags], { cwd: folder }) !== 0) throw new Stop('npm ci failed');
  }
  const link = path.join(folder, 'node_modules/system-tls');
  if (!existsSync(link)) symlinkSync(root, link, 'dir');
}
