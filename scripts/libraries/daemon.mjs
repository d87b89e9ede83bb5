// A server of the operating system's in a folder of its own, as a user without rights, since some refuse root.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';

/** What the machine lacks for a test: it is skipped. */
export class Lacking extends Error {}

/** @param {string} file */
function isProgram(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/**
 * The path of a program that a package of Debian's has.
 * @param {string} name @param {string} from  the package
 * @param {string[]} folders  before those of PATH
 */
export function program(name, from, folders = []) {
  const all = [...folders, ...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin'];
  const found = all.map(folder => path.join(folder, name)).find(isProgram);
  if (found === undefined) throw new Lacking(`there is no ${name}: install the package ${from}`);
  return found;
}

/** Of the package that has the program, without what Debian adds; empty where dpkg does not know it. @param {string} file */
export function debianVersion(file) {
  const ask = (/** @type {string[]} */ args) => spawnSync('dpkg-query', args, { encoding: 'utf8' }).stdout ?? '';
  const owner = ask(['-S', file]).split(':')[0] ?? '';
  const version = /^Version: (.*)$/m.exec(ask(['-s', owner]))?.[1] ?? '';
  return version.replace(/^\d+:/, '').replace(/[+~-].*$/, '');
}

/** @param {number} port @returns {Promise<boolean>} */
function isFree(port) {
  return new Promise(resolve => {
    const server = net.createServer().once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** None that the system gives by itself meanwhile, ip(7). @returns {Promise<number>} */
export async function freePort() {
  for (;;) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) return port;
  }
}

/** @param {number} port @returns {Promise<boolean>} */
function accepts(port) {
  return new Promise(resolve => {
    const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** nobody; of a machine where this is root. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};

const patience = 90_000;

/** Processes that share a folder, which goes with them. */
export class Daemon {
  folder;
  #environment;
  /** @type {import('node:child_process').ChildProcess[]} */
  #processes = [];
  #output = '';
  #end = () => this.#kill();

  /** @param {string} name @param {string} certificates  the folder with ca.pem, cert.pem, key.pem */
  constructor(name, certificates) {
    this.folder = realpathSync(mkdtempSync(path.join(tmpdir(), `libraries-${name}-`)));
    this.#own(this.folder);
    this.#environment = { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', HOME: this.folder, TMPDIR: this.folder };
    for (const file of ['ca.pem', 'cert.pem', 'key.pem']) {
      copyFileSync(path.join(certificates, file), this.path(file));
      this.#own(this.path(file));
    }
    chmodSync(this.path('key.pem'), 0o600);
    process.once('exit', this.#end);
  }

  /** @param {string} file */
  #own(file) {
    if (user.uid !== undefined) chownSync(file, user.uid, user.gid);
  }

  /** @param {string} file */
  path(file) {
    return path.join(this.folder, file);
  }

  /** @param {string} file @param {string[]} lines */
  write(file, lines) {
    writeFileSync(this.path(file), `${lines.join('\n')}\n`);
    this.#own(this.path(file));
  }

  /** A program that ends by itself. @param {string} command @param {string[]} args */
  run(command, args) {
    execFileSync(command, args, {
      cwd: this.folder,
      env: this.#environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: patience,
      ...user,
    });
  }

  /**
   * Resolves when it accepts connections.
   * @param {number} port @param {string} command @param {string[]} args @param {Record<string, string>} [extra]  environment
   */
  async start(port, command, args, extra) {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...this.#environment, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      ...user,
    });
    this.#processes.push(child);
    child.on('error', error => {
      this.#output += error.message;
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', data => {
        this.#output = (this.#output + data).slice(-4000);
      });
    }
    const end = performance.now() + patience;
    while (!(await accepts(port))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > end) {
        throw new Error(`${command} does not listen:\n${this.#output}`);
      }
      await sleep(50);
    }
  }

  /** Of what was started last first. */
  async stop() {
    for (const child of this.#processes.reverse()) {
      const over = new Promise(resolve => child.once('exit', resolve));
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await over;
      clearTimeout(timer);
    }
    this.#kill();
    process.removeListener('exit', this.#end);
  }

  #kill() {
    for (const child of this.#processes) child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
