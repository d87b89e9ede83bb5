// One of Node's tests in a process of its own.

import { spawn } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { root } from '../run.mjs';

/** @typedef {'passed' | 'skipped' | 'failed' | 'crashed'} Result */
/** @typedef {{ result: Result, end: string, output: string }} Outcome  `end`: as "code 1", "SIGSEGV" */
/** @typedef {keyof typeof preloads} Implementation */

const here = path.join(root, 'scripts/node-suite');

/** What node loads before the test, by what is under node:tls then. */
const preloads = {
  builtin: [],
  throwing: ['--require', path.join(here, 'throwing.cjs')],
  ours: ['--require', path.join(root, 'dist/compat/register.js')],
};

/** Of the line "// Flags:". @param {string} source */
export function flagsOf(source) {
  const line = /^\/\/ Flags:(.*)$/m.exec(source)?.[1] ?? '';
  return line.split(/\s+/).filter(word => word !== '');
}

/**
 * @param {{ code: number | null, signal: string | null, late: boolean, output: string, seconds: number }} ending
 * @returns {Outcome}
 */
export function outcomeOf({ code, signal, late, output, seconds }) {
  if (late) return { result: 'failed', end: `not over after ${seconds} s`, output };
  if (signal !== null) return { result: 'crashed', end: signal, output };
  if (code !== 0) return { result: 'failed', end: `code ${code}`, output };
  return { result: /^1\.\.0 # Skipped/m.test(output) ? 'skipped' : 'passed', end: 'code 0', output };
}

/** The environment of this process without what would change a test. */
function ownEnvironment() {
  const foreign = /^(NODE_(?!PATH$)|SSL_CERT_|SYSTEM_TLS_|OPENSSL_|TEST_)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)));
}

/** @param {string} name @returns {string | undefined} */
function programOnPath(name) {
  const files = (process.env.PATH ?? '').split(path.delimiter).map(folder => path.join(folder, name));
  return files.find(file => {
    try {
      accessSync(file, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** The same file where that can be, since it is large. @param {string} from @param {string} to */
function linkOrCopy(from, to) {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}

/** Runs tests; end() removes what they have left. */
export class Runner {
  #folder = mkdtempSync(path.join(realpathSync(tmpdir()), 'node-suite-'));
  #sources;
  #seconds;
  #node;
  #foreign;
  #started = 0;
  /** @type {Set<number>} */
  #groups = new Set();

  /** `foreign`: the tests are of another version of node. @param {{ sources: string, node: string, seconds: number, foreign?: boolean }} options */
  constructor({ sources, node, seconds, foreign = false }) {
    this.#sources = sources;
    this.#foreign = foreign;
    this.#seconds = seconds;
    // Tests look for the program beside node.
    const bin = path.join(this.#folder, 'bin');
    mkdirSync(bin);
    this.#node = path.join(bin, 'node');
    linkOrCopy(realpathSync(node), this.#node);
    const openssl = programOnPath('openssl');
    if (openssl !== undefined) symlinkSync(openssl, path.join(bin, 'openssl-cli'));
    mkdirSync(path.join(this.#folder, 'tmp'));
  }

  /**
   * @param {string} name
   * @param {Implementation} implementation
   * @returns {Promise<Outcome>}
   */
  run(name, implementation) {
    const file = path.join(this.#sources, 'test/parallel', name);
    const id = ++this.#started;
    // A pipe would stay open as long as any program that a test has left behind.
    const log = path.join(this.#folder, `log.${id}`);
    const output = openSync(log, 'w');
    const child = spawn(this.#node, [...flagsOf(readFileSync(file, 'utf8')), ...preloads[implementation], file], {
      cwd: this.#sources,
      env: {
        ...ownEnvironment(),
        NODE_TEST_DIR: path.join(this.#folder, 'tmp'),
        // A later node has globals that the tests of this one would report as leaks.
        ...(this.#foreign && { NODE_TEST_KNOWN_GLOBALS: '0' }),
        OPENSSL_CONF: path.join(here, 'policy.cnf'),
        TEST_THREAD_ID: String(id),
      },
      stdio: ['ignore', output, output],
      detached: true,
    });
    closeSync(output);
    const { pid } = child;
    if (pid !== undefined) this.#groups.add(pid);
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.#endGroup(pid);
    }, this.#seconds * 1000);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        clearTimeout(timer);
        this.#endGroup(pid);
        if (pid !== undefined) this.#groups.delete(pid);
        const text = readFileSync(log, 'utf8');
        rmSync(log);
        resolve(outcomeOf({ code, signal, late, output: text, seconds: this.#seconds }));
      });
    });
  }

  /** A test, and all that it has started. @param {number | undefined} pid */
  #endGroup(pid) {
    if (pid === undefined || !this.#groups.has(pid)) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'ESRCH') throw error;
    }
  }

  end() {
    for (const pid of this.#groups) this.#endGroup(pid);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
