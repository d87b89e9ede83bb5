// The load of HTTP/2: h2load of nghttp2, behind what the harness says to bench/native/load.c and hears from it.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { onProcessors } from './processors.mjs';

// It ends by itself: what the harness measures lies within its time.
const margin = 1;

const fields = /** @type {const} */ ({
  version: /^TLS Protocol: (.*)$/m,
  cipher: /^Cipher: (.*)$/m,
  group: /^Server Temp Key: (\S+)/m,
  protocol: /^Application protocol: (.*)$/m,
});

/** What it prints, as the load's result. @param {string} output */
export function spoken(output) {
  const values = Object.entries(fields).map(([name, pattern]) => [name, pattern.exec(output)?.[1]]);
  const [, failed = '?', errored = '?'] = /(\d+) failed, (\d+) errored/.exec(output) ?? [];
  if (failed !== '0' || errored !== '0') throw new Error(`h2load: ${failed} failed, ${errored} errored\n${output}`);
  return Object.fromEntries(values);
}

/**
 * Of the lines `start of the request, status, duration`, in microseconds.
 * @param {string} log
 * @param {number} from  microseconds since the epoch
 * @param {number} to
 */
export function latencies(log, from, to) {
  const durations = log
    .split('\n')
    .map(line => line.split('\t').map(Number))
    .filter(([start = 0, status, duration = 0]) => status === 200 && start + duration >= from && start + duration < to)
    .map(([, , duration = 0]) => duration)
    .sort((a, b) => a - b);
  const at = (/** @type {number} */ quantile) => durations[Math.floor(durations.length * quantile)] ?? Number.NaN;
  return { requests: durations.length, p50: at(0.5) * 1e3, p99: at(0.99) * 1e3 };
}

export class H2Load {
  #folder = mkdtempSync(path.join(tmpdir(), 'system-tls-h2load-'));
  #child;
  #output = '';
  #from = 0;
  #to = 0;
  /** @type {Promise<number | string | null>} */
  #exited;

  /**
   * @param {Record<string, string>} options  clients, streams, port; upload: bytes of a body
   * @param {number} seconds  how long it is needed, with warming up
   * @param {string} [processors]
   */
  constructor({ clients = '1', streams = '1', port = '', upload }, seconds, processors) {
    const data = path.join(this.#folder, 'body');
    if (upload !== undefined) writeFileSync(data, Buffer.alloc(Number(upload), 'x'));
    const args = [
      ...['-c', clients, '-m', streams, '-t', '1', '-D', String(Math.ceil(seconds) + margin)],
      ...['--groups=X25519', '--tls13-ciphers=TLS_AES_128_GCM_SHA256', '--npn-list=h2'],
      `--log-file=${path.join(this.#folder, 'log')}`,
      ...(upload === undefined ? [] : ['-d', data]),
      `https://127.0.0.1:${port}/`,
    ];
    this.#child = spawn(...onProcessors(processors, 'h2load', args), { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        this.#output += text;
      });
    }
    this.#exited = new Promise((resolve, reject) => {
      this.#child.on('error', reject).on('close', (code, signal) => resolve(code ?? signal));
    });
    this.#exited.catch(() => {});
  }

  /** @param {string} event  ready or result @returns {Promise<any>} */
  async hear(event) {
    if (event === 'ready') return sleep(100);
    const end = await this.#exited;
    if (end !== 0) throw new Error(`h2load ended with ${end}\n${this.#output}`);
    const log = readFileSync(path.join(this.#folder, 'log'), 'utf8');
    return { ...spoken(this.#output), ...latencies(log, this.#from, this.#to), handshakes: 0 };
  }

  /** @param {string} command  start or stop */
  say(command) {
    const now = Date.now() * 1000;
    if (command === 'start') this.#from = now;
    else this.#to = now;
  }

  async end() {
    if (this.#child.exitCode === null) this.#child.kill();
    await this.#exited.catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
