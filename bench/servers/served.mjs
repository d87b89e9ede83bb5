// What the servers in JavaScript share: their options, their counters, and the answers to the harness.
// Runs on node and on Bun.

import { readFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import process from 'node:process';

/**
 * @typedef {object} Options
 * @property {'sink' | 'source' | 'echo' | 'update' | 'http' | 'http2'} mode
 * @property {string} api  which interface of the library is measured
 * @property {string | undefined} cert
 * @property {string | undefined} key
 * @property {string | undefined} ca  ask for a client certificate and verify it
 * @property {boolean} client  connect, instead of listening
 * @property {number} port
 * @property {number} connections
 * @property {number} size
 * @property {number} updateEvery  bytes between key updates; 0: none
 * @property {boolean} io  on I/O threads
 * @property {number | undefined} ioThreads  how many; undefined: as many as there are by default
 */

/** @returns {Options} */
function parse() {
  const [mode = 'echo', ...rest] = process.argv.slice(2);
  /** @type {Record<string, string>} */
  const given = {};
  for (let i = 0; i + 1 < rest.length; i += 2) given[String(rest[i]).slice(2)] = String(rest[i + 1]);
  const read = (/** @type {string | undefined} */ file) =>
    file === undefined ? undefined : readFileSync(file, 'utf8');
  return {
    mode: /** @type {Options['mode']} */ (mode),
    api: given['api'] ?? '',
    cert: read(given['cert']),
    key: read(given['key']),
    ca: read(given['ca']),
    client: given['client'] === '1',
    port: Number(given['port'] ?? 0),
    connections: Number(given['connections'] ?? 1),
    size: Number(given['size'] ?? 1024),
    updateEvery: Number(given['update-every'] ?? 0),
    io: given['io'] === '1',
    ioThreads: given['io-threads'] === undefined ? undefined : Number(given['io-threads']),
  };
}

export const options = parse();

/** What was done so far. Each server counts for itself. */
export const done = { bytes: 0, handshakes: 0, requests: 0, updates: 0 };

/** What a source sends. */
export const chunk = Buffer.alloc(options.size, 'system-tls');

/** Clear bytes that `onread` and `readInto` get at a time. */
export const readBufferSize = 64 * 1024;

/** Writes of one connection before the others have their turn. */
export const writesATurn = 16;

/** A receiver gives up after 32 KeyUpdates without data between them. */
export const updatesAByte = 16;

/** The answer of modes http and http2. */
export const body = Buffer.alloc(options.size, 'x');

const tls13 = /** @type {const} */ ('TLSv1.3');

/** For node:tls and what takes its options. */
export const serverOptions = {
  cert: options.cert,
  key: options.key,
  ca: options.ca,
  requestCert: options.ca !== undefined,
  rejectUnauthorized: options.ca !== undefined,
  minVersion: tls13,
  ciphers: 'TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519',
};

export const clientOptions = {
  host: '127.0.0.1',
  port: options.port,
  servername: 'localhost',
  rejectUnauthorized: false,
  minVersion: tls13,
  ciphers: 'TLS_AES_128_GCM_SHA256',
  ecdhCurve: 'X25519',
};

// ---------------------------------------------------------------------------------------------------------------------
// Figures

const delay = makeDelayMonitor();

function makeDelayMonitor() {
  try {
    const monitor = monitorEventLoopDelay({ resolution: 5 });
    monitor.enable();
    return monitor;
  } catch {
    return undefined; // a runtime without it
  }
}

/** Nanoseconds of CPU of the main thread: what the scheduler counted. */
function mainThreadCpu() {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
}

function allThreadsCpu() {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1000;
}

function delayFigures() {
  if (delay === undefined) return { delayP99: null, delayMax: null };
  const figures = { delayP99: delay.percentile(99), delayMax: delay.max };
  delay.reset();
  return figures;
}

function snapshot() {
  return {
    event: 'snapshot',
    time: Number(process.hrtime.bigint()),
    ...done,
    cpuMain: mainThreadCpu(),
    cpuAll: allThreadsCpu(),
    resident: process.memoryUsage.rss(),
    ...delayFigures(),
  };
}

// ---------------------------------------------------------------------------------------------------------------------
// The harness

/** @param {object} message */
function tell(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function collect() {
  /** @type {any} */
  const { Bun, gc } = globalThis;
  if (Bun !== undefined) Bun.gc(true);
  else gc?.();
  tell({ event: 'collected' });
}

/**
 * Says that the server is ready, and answers the harness until it has heard enough.
 * @param {{ port: number, openssl: string }} details
 */
export function serve(details) {
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', text => {
    for (const line of String(text).split('\n')) {
      if (line === 'snapshot') tell(snapshot());
      if (line === 'collect') collect();
    }
  });
  process.stdin.on('end', () => process.exit(0));
  tell({ event: 'listening', ...details });
}

/** Connections that the load ends in the middle of their work are no news. */
export function ignore() {}
