// Running other programs from the scripts.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

/** The folder of the repository. */
export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** This script has said what is wrong; nothing more is to be printed. */
export class Stop extends Error {}

/**
 * Programs that look for `node` must find the one that runs this script.
 * @param {NodeJS.ProcessEnv} [extra]
 */
export function environment(extra) {
  const folder = path.dirname(process.execPath);
  return { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH ?? ''}`, ...extra };
}

/**
 * Runs a program with this terminal. Returns its exit code.
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: NodeJS.ProcessEnv, cwd?: string, quiet?: boolean }} [options]
 */
export function run(command, args, { env, cwd = root, quiet = false } = {}) {
  const result = spawnSync(command, args, {
    cwd,
    env: environment(env),
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
    maxBuffer: 256 * 1024 * 1024,
  });
  if (result.error) console.error(`${command}: ${result.error.message}`);
  if (result.signal) console.error(`${command} was ended by ${result.signal}`);
  const code = result.status ?? 1;
  if (quiet && code !== 0) process.stderr.write(Buffer.concat([result.stdout, result.stderr]));
  return code;
}

/**
 * A tool from node_modules, run by this node.
 * @param {string} script  path inside node_modules
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function runTool(script, args, options) {
  return run(process.execPath, [path.join(root, 'node_modules', script), ...args], options);
}

/** @param {string[]} args  @param {Parameters<typeof run>[2]} [options] */
export const tsc = (args, options) => runTool('typescript/bin/tsc', args, options);

/**
 * npm as it was started, or the one on PATH.
 * @param {string[]} args
 * @param {Parameters<typeof run>[2]} [options]
 */
export function npm(args, options) {
  const script = process.env.npm_execpath;
  return script ? run(process.execPath, [script, ...args], options) : run('npm', args, options);
}

/**
 * For scripts that are also imported.
 * @param {string} url  import.meta.url of the caller
 */
export function isMain(url) {
  return process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(url);
}
