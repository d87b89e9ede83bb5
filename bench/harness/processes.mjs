// Child processes that speak lines of JSON on standard output and hear commands on standard input.

import { spawn } from 'node:child_process';
import process from 'node:process';
import { createInterface } from 'node:readline';

const answerTimeout = 30_000;
const endTimeout = 5_000;

export class TalkingProcess {
  #child;
  #name;
  /** @type {Record<string, any>[]} */
  #heard = [];
  /** @type {{ event: string, resolve: (message: any) => void, reject: (error: Error) => void }[]} */
  #waiting = [];
  /** @type {Error | undefined} */
  #over;
  #stderr = '';
  #ending = false;
  /** @type {Promise<void>} */
  #exited;

  /**
   * @param {string} name  for messages
   * @param {string} command
   * @param {string[]} args
   * @param {NodeJS.ProcessEnv} [env]
   */
  constructor(name, command, args, env = process.env) {
    this.#name = name;
    this.#child = spawn(command, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => {});
    this.#child.stderr.setEncoding('utf8').on('data', text => {
      this.#stderr = (this.#stderr + text).slice(-4000);
    });
    createInterface({ input: this.#child.stdout }).on('line', line => this.#hear(line));
    this.#exited = new Promise(resolve => {
      this.#child.on('error', error => this.#end(error, resolve));
      this.#child.on('close', (code, signal) => this.#end(new Error(`it ended with ${signal ?? code}`), resolve));
    });
  }

  get pid() {
    return this.#child.pid;
  }

  /** Why it has ended; undefined while it runs. */
  get over() {
    return this.#over;
  }

  /** @param {Error} error @param {() => void} resolve */
  #end(error, resolve) {
    this.#over = new Error(`${this.#name}: ${error.message}\n${this.#stderr}`);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#over);
    resolve();
  }

  /** @param {string} line */
  #hear(line) {
    const message = JSON.parse(line);
    const index = this.#waiting.findIndex(({ event }) => event === message.event);
    if (index < 0) this.#heard.push(message);
    else this.#waiting.splice(index, 1)[0]?.resolve(message);
  }

  /**
   * The next message of that kind.
   * @param {string} event
   * @returns {Promise<any>}
   */
  hear(event) {
    const index = this.#heard.findIndex(message => message['event'] === event);
    if (index >= 0) return Promise.resolve(this.#heard.splice(index, 1)[0]);
    if (this.#over !== undefined) return Promise.reject(this.#over);
    return new Promise((resolve, reject) => {
      const tooLong = () =>
        reject(new Error(`${this.#name}: no "${event}" in ${answerTimeout / 1000} s\n${this.#stderr}`));
      const timer = setTimeout(tooLong, answerTimeout);
      const clear = (/** @type {(value: any) => void} */ settle) => (/** @type {any} */ value) => {
        clearTimeout(timer);
        settle(value);
      };
      this.#waiting.push({ event, resolve: clear(resolve), reject: clear(reject) });
    });
  }

  /** @param {string} command */
  say(command) {
    this.#child.stdin.write(`${command}\n`);
  }

  /** Lets it end by itself, and sees to it that it does. */
  async end() {
    if (!this.#ending) this.#child.stdin.end();
    this.#ending = true;
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), endTimeout);
    await this.#exited;
    clearTimeout(timer);
  }
}
