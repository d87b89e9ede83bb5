// Another version of node for the tests, from the package registry into .cache/: prints the path of the program.

import { existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { isMain, npm, root, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

/**
 * @param {string} major
 * @returns {string} the program
 */
export function fetchNode(major) {
  const name = `node-${process.platform}-${process.arch}`;
  const folder = path.join(root, '.cache', `node-${major}`);
  const program = path.join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const args = [
    'install',
    '--prefix',
    folder,
    '--no-save',
    '--no-package-lock',
    '--ignore-scripts',
    `${name}@${major}`,
  ];
  if (npm(args, { quiet: true, cwd: folder }) !== 0 || !existsSync(program)) {
    throw new Stop(`the registry gave no ${name}@${major}`);
  }
  return program;
}

if (isMain(import.meta.url)) await runMain(async () => console.log(fetchNode(process.argv[2] ?? '24')));
