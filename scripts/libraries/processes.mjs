// One application in a process of its own, with what it has started.

import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { folder } from './install.mjs';

/** @typedef {import('./ways.mjs').Counts} Counts */

const seconds = 60;

/** The environment of this process without what would change an application. */
function ownEnvironment() {
  const foreign = /^(NODE_|npm_|SSL_CERT_|SYSTEM_TLS_|OPENSSL_|LIBRARIES_(?!SCREENSHOT))|_proxy$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** @param {number | undefined} pid */
function endGroup(pid) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
  }
}

/**
 * @param {{ node: string, flags: string[], app: string, driver: string | undefined, env: Record<string, string> }} what
 * @returns {Promise<{ end: string, output: string }>}  `end`: as "code 0"
 */
export function runApplication({ node, flags, app, driver, env }) {
  const command = [...flags, '--require', './count-sockets.cjs', `apps/${app}`];
  const args = driver === undefined ? command : [`drivers/${driver}`, node, ...command];
  const child = spawn(node, args, {
    cwd: folder,
    env: { ...ownEnvironment(), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const endAll = () => endGroup(child.pid);
  process.once('exit', endAll);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      output += text;
    });
  }
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    endAll();
  }, seconds * 1000);
  // What is left of its group keeps the pipes open.
  child.once('exit', endAll);
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => {
      clearTimeout(timer);
      process.removeListener('exit', endAll);
      resolve({ end: late ? `not over after ${seconds} s` : signal !== null ? signal : `code ${code}`, output });
    });
  });
}

/** Of all processes that wrote into the file. @param {string} file @returns {Counts} */
export function readCounts(file) {
  const sum = { ours: 0, onThreads: 0, nodes: 0, requests: 0, answers: 0 };
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  for (const line of lines) {
    const counts = JSON.parse(line);
    for (const name of /** @type {(keyof Counts)[]} */ (Object.keys(sum))) sum[name] += counts[name];
  }
  return sum;
}
