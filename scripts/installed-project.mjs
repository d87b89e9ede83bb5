// The tests and the package as npm installs it, in the project of somebody who uses it.

import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pack } from './pack.mjs';
import { npm, root, Stop, tsc } from './run.mjs';
import { prune } from './setup.mjs';

// Below the repository, whose mocha and libraries of the tests are found from there.
const folder = path.join(root, '.cache/installed');

const ofRepository = /^test\/[^/]+\/(internals|scripts|docs|examples)\//;

/** What does not look into the repository itself. @param {string[]} files */
export const ofStranger = files => files.filter(file => !ofRepository.test(file));

/** An empty project with the package as npm installs it. Needs the binaries of `npm run prebuild`. @param {string} where */
export function installPackage(where) {
  rmSync(where, { recursive: true, force: true });
  mkdirSync(where, { recursive: true });
  writeFileSync(path.join(where, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n');
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts'];
  if (npm(['install', ...flags, pack(where)], { cwd: where }) !== 0) throw new Stop('npm install failed');
}

/**
 * The same with the tests.
 * @returns {string | undefined} the folder; undefined: the tests do not compile
 */
export function installedProject() {
  if (tsc(['-p', 'scripts']) !== 0 || tsc(['-p', 'test']) !== 0) return undefined;
  prune('dist-test', 'test');
  installPackage(folder);
  for (const part of ['dist-test', 'test/fixtures', '.mocharc.json', 'scripts/mocha-reporter.cjs']) {
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  const installed = realpathSync(path.join(folder, 'node_modules/system-tls'));
  if (!installed.startsWith(folder)) throw new Stop(`${installed} is no copy: the tests would use the repository`);
  if (existsSync(path.join(installed, 'build'))) throw new Stop(`${installed} has a build: its binary does not ship`);
  return folder;
}
