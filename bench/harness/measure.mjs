// One run of one contestant at one job.

import { setTimeout as sleep } from 'node:timers/promises';
import { H2Load } from './h2load.mjs';
import { TalkingProcess } from './processes.mjs';
import { onProcessors, placement } from './processors.mjs';

/** @typedef {import('./jobs.mjs').Job} Job */
/** @typedef {import('./contestants.mjs').Measured} Measured */
/** @typedef {import('./contestants.mjs').Snapshot} Snapshot */
/** @typedef {Record<string, number>} Figures */

/**
 * @typedef {object} Setting
 * @property {number} seconds
 * @property {number} threads
 * @property {import('./contestants.mjs').Programs} programs
 * @property {import('./certificates.mjs').Certificates} certificates
 */

const warmUp = 1000;
// Code that runs once for each connection takes longer to be compiled.
const handshakeWarmUp = 3000;
// node:http is more JavaScript than an echo.
const httpWarmUp = 2000;
const idleTime = 500;
const settle = 1000;
const suite = { version: 'TLSv1.3', cipher: 'TLS_AES_128_GCM_SHA256', group: 'X25519' };
const keyTypes = { 'P-256': 'EC 256', 'RSA-2048': 'RSA 2048' };

/** @typedef {TalkingProcess | H2Load} Load */

/** The others are where the scheduler puts them. @param {Job} job @param {Setting} setting */
const placeOf = (job, { threads }) => (job.kind === 'http' ? placement(threads) : undefined);

/** Each connection is made anew. @param {Job} job */
const connecting = job => job.load['mode'] === 'handshake';

/** @param {Job} job */
function warmUpOf(job) {
  if (connecting(job)) return handshakeWarmUp;
  return job.kind === 'http' ? httpWarmUp : warmUp;
}

/** @param {Job} job @param {Setting} setting @param {Record<string, string>} extra @returns {Load} */
function startLoad(job, setting, extra) {
  const { programs, threads, certificates, seconds } = setting;
  const processors = placeOf(job, setting)?.load;
  if (job.program === 'h2load')
    return new H2Load({ ...job.load, ...extra }, warmUpOf(job) / 1000 + seconds, processors);
  const connections = Number(job.load['connections'] ?? 1);
  const identity = job.client ? certificates['P-256'] : job.mutual ? certificates.client : {};
  const { mode = '', ...rest } = job.load;
  const options = { threads: String(Math.min(threads, connections)), ...rest, ...identity, ...extra };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  return new TalkingProcess('load', ...onProcessors(processors, programs.load, [mode, ...args]), programs.env);
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {import('./jobs.mjs').Contestant} contestant
 */
function serverOptions(job, { certificates }, contestant) {
  const identity = job.client ? {} : certificates[job.key ?? 'P-256'];
  const trust = job.mutual ? { ca: certificates.client.cert } : {};
  const api = contestant.api === undefined ? {} : { api: contestant.api };
  return { ...job.server, ...identity, ...trust, ...api };
}

/** What must have been agreed on. @param {Job} job @param {import('./jobs.mjs').Contestant} contestant */
function wantedOf(job, contestant) {
  if (contestant.load?.['plain'] === '1') return { version: 'none' };
  // It does not tell the server's key.
  if (job.program === 'h2load') return { ...suite, protocol: 'h2' };
  return { ...suite, key: job.client ? 'none' : keyTypes[job.key ?? 'P-256'] };
}

/** Everybody must have done the same work. @param {Job} job @param {import('./jobs.mjs').Contestant} contestant @param {any} result */
function check(job, contestant, result) {
  for (const [name, value] of Object.entries(wantedOf(job, contestant))) {
    if (result[name] !== value) throw new Error(`${job.name}: ${name} is ${result[name]}, not ${value}`);
  }
  if (job.resumed && result.version !== 'none' && result.resumed !== result.handshakes) {
    throw new Error(`${job.name}: ${result.resumed} of ${result.handshakes} handshakes were resumed`);
  }
}

/**
 * How often it was done, in what unit: by the measured side's own count, which belongs to the same moments as its CPU.
 * @param {Job} job
 * @param {Snapshot} before
 * @param {Snapshot} after
 * @param {any} result  the load's, for those who do not count
 * @returns {{ count: number, nanoseconds: number }}  of CPU, in the unit of the table
 */
function amount(job, before, after, result) {
  const bytes = after.bytes - before.bytes;
  switch (job.kind) {
    case 'bulk':
      return { count: bytes / 1024, nanoseconds: 1 };
    case 'update':
      return { count: after.updates - before.updates, nanoseconds: 1e3 };
    case 'echo':
      return {
        count: bytes === 0 ? result.requests : bytes / Number(job.server['size'] ?? job.load['size']),
        nanoseconds: 1e3,
      };
    case 'http':
      return { count: Number(after.requests) - Number(before.requests) || result.requests, nanoseconds: 1e3 };
    default:
      return {
        count: after.handshakes === 0 ? result.handshakes : after.handshakes - before.handshakes,
        nanoseconds: 1e6,
      };
  }
}

/**
 * @param {Job} job
 * @param {Snapshot} before
 * @param {Snapshot} after
 * @param {any} result  the load's
 * @returns {Figures}
 */
function figures(job, before, after, result) {
  const seconds = (after.time - before.time) / 1e9;
  const { count, nanoseconds } = amount(job, before, after, result);
  if (!(count > 0)) throw new Error(`${job.name}: nothing was done`);
  const timedRequests = job.kind === 'echo' || job.kind === 'http';
  const latency = timedRequests ? { p50: result.p50 / 1e3, p99: result.p99 / 1e3 } : {};
  return {
    cpu: (after.cpuAll - before.cpuAll) / nanoseconds / count,
    cpuMain: (after.cpuMain - before.cpuMain) / nanoseconds / count,
    perSecond: (job.kind === 'bulk' ? (count * 1024) / 1e9 : count) / seconds,
    ...latency,
    ...(after.cpuFront !== undefined && {
      cpuFront: (after.cpuFront - Number(before.cpuFront)) / nanoseconds / count,
    }),
    // Of one core: near 1 for each thread, the load is what limits. h2load does not tell.
    ...(result.cpu !== undefined && { loadCpu: result.cpu / result.ns }),
  };
}

/** What the load added to the delay of the idle event loop, in milliseconds. @param {Snapshot} idle @param {Snapshot} busy */
function delays(idle, busy) {
  if (typeof idle.delayP99 !== 'number' || typeof busy.delayP99 !== 'number') return {};
  return {
    delayP99: Math.max(0, busy.delayP99 - idle.delayP99) / 1e6,
    delayMax: Math.max(0, Number(busy.delayMax) - idle.delayP99) / 1e6,
    delayIdle: idle.delayP99 / 1e6,
  };
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {import('./jobs.mjs').Contestant} contestant
 * @param {Load} load
 * @param {Measured} server
 * @param {Snapshot} [idle]
 */
async function timed(job, setting, contestant, load, server, idle) {
  await load.hear('ready');
  await sleep(warmUpOf(job));
  const before = await server.snapshot();
  load.say('start');
  await sleep(setting.seconds * 1000);
  const after = await server.snapshot();
  load.say('stop');
  const result = await load.hear('result');
  check(job, contestant, result);
  return { ...figures(job, before, after, result), ...(idle && delays(idle, after)) };
}

/** Each snapshot of the event loop's delay begins where the one before it ended. @param {Measured} server */
async function idleSnapshot(server) {
  await server.snapshot();
  await sleep(idleTime);
  return server.snapshot();
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {Measured} server
 * @param {import('./jobs.mjs').Contestant} contestant
 */
async function loadServer(job, setting, server, contestant) {
  const idle = job.kind === 'handshake' || job.kind === 'http' ? await idleSnapshot(server) : undefined;
  const load = startLoad(job, setting, { port: String(server.port), ...contestant.load });
  try {
    return await timed(job, setting, contestant, load, server, idle);
  } finally {
    await load.end();
  }
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {Measured} server
 * @param {import('./jobs.mjs').Contestant} contestant
 */
async function measureMemory(job, setting, server, contestant) {
  const port = String(server.port);
  // What is made once, for the first connections, belongs to none of them.
  const first = startLoad(job, setting, { port, connections: '50' });
  await first.hear('ready');
  await first.end();
  await sleep(settle);
  await server.collect();
  const before = await server.snapshot();
  const load = startLoad(job, setting, { port });
  try {
    await load.hear('ready');
    await sleep(settle);
    await server.collect();
    const after = await server.snapshot();
    load.say('stop');
    check(job, contestant, await load.hear('result'));
    return { kib: (after.resident - before.resident) / 1024 / Number(job.load['connections']) };
  } finally {
    await load.end();
  }
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {import('./contestants.mjs').Start} start
 * @param {import('./jobs.mjs').Contestant} contestant
 */
async function measureClient(job, setting, start, contestant) {
  const load = startLoad(job, setting, { listen: '1' });
  try {
    const { port } = await load.hear('listening');
    const client = await start({ ...serverOptions(job, setting, contestant), client: '1', port: String(port) });
    try {
      return { figures: await timed(job, setting, contestant, load, client), openssl: client.openssl };
    } finally {
      await client.end();
    }
  } finally {
    await load.end();
  }
}

/**
 * @param {Job} job
 * @param {Setting} setting
 * @param {import('./contestants.mjs').Start} start
 * @param {import('./jobs.mjs').Contestant} contestant
 * @returns {Promise<{ figures: Figures, openssl: string }>}
 */
export async function measure(job, setting, start, contestant) {
  if (job.client) return measureClient(job, setting, start, contestant);
  const server = await start(serverOptions(job, setting, contestant), placeOf(job, setting)?.measured);
  try {
    const work = job.kind === 'memory' ? measureMemory : loadServer;
    return { figures: await work(job, setting, server, contestant), openssl: server.openssl };
  } finally {
    await server.end();
  }
}
