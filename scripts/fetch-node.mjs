// Another version of node for the tests, from the package registry into .cache/: prints the path of the program.

import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { isMain, npm, root, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

/**
 * @param {string} major
 * @param {string} [arch]  as process.arch; default: this machine's
 * @returns {string} the program
 */
export function fetchNode(major, arch = process.arch) {
  const name = `node-${process.platform}-${arch}`;
  const folder = path.join(root, '.cache', arch === process.arch ? `node-${major}` : `node-${major}-${arch}`);
  const program = path.join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(program)) return program;
  // Several processes may want it at once: each fetches its own, and the first to end gives it to all.
  const work = `${folder}.${process.pid}`;
  mkdirSync(work, { recursive: true });
  try {
    const args = [
      'install',
      '--prefix',
      work,
      '--no-save',
      '--no-package-lock',
      '--ignore-scripts',
      // For another processor than this machine's npm has to be told that it is meant.
      ...(arch === process.arch ? [] : ['--force']),
      `${name}@${major}`,
    ];
    if (npm(args, { quiet: true, cwd: work }) !== 0) throw new Stop(`the registry gave no ${name}@${major}`);
    renameSync(work, folder);
  } catch (error) {
    if (!existsSync(program)) throw error;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  if (!existsSync(program)) throw new Stop(`${name}@${major} has no program`);
  return program;
}

if (isMain(import.meta.url)) await runMain(async () => console.log(fetchNode(process.argv[2] ?? '24')));
