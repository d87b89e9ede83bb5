// Contestants that are other programs: nginx by itself, and nginx or HAProxy that ends TLS in front of node:http.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { TalkingProcess } from './processes.mjs';
import { onProcessors } from './processors.mjs';
import { haproxyInFront, nginxAlone, nginxInFront } from './proxy-configurations.mjs';

/**
 * @typedef {import('./contestants.mjs').Measured} Measured
 * @typedef {import('./contestants.mjs').Start} Start
 *
 * @typedef {object} Running  a proxy
 * @property {number} port
 * @property {() => { cpu: number, resident: number }} use  of all its processes: nanoseconds, bytes
 * @property {() => Promise<void>} end
 */

/** @param {string} command @param {string} option */
export function answers(command, option) {
  try {
    execFileSync(command, [option], { stdio: 'pipe' });
    return true;
  } catch {
    return false;
  }
}

const now = () => Number(process.hrtime.bigint());

async function freePort() {
  const server = createServer();
  await new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  await new Promise(resolve => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

/** @param {number} pid */
const childrenOf = pid =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** @param {number} pid */
function useOf(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const times = tasks.map(task => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]);
  return { cpu: times.reduce((sum, time) => sum + time, 0), resident: pages * 4096 };
}

/** @param {number} port */
const accepts = port =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => resolve(true));
    socket.on('error', () => resolve(false)).on('connect', () => socket.destroy());
  });

/** @param {number} port @param {string} name @param {TalkingProcess} program */
async function untilItListens(port, name, program) {
  for (let tries = 0; tries < 100 && program.over === undefined; tries++) {
    if (await accepts(port)) return;
    await sleep(50);
  }
  throw program.over ?? new Error(`${name} does not listen`);
}

/** Ends with what it runs, and ends that when nobody holds the other end of its input any more, however whoever did has ended. */
const untilInputEnds = `
exec 3<&0
"$@" </dev/null &
program=$!
{ while read -r _; do :; done; kill "$program"; } <&3 >/dev/null 2>&1 &
reader=$!
wait "$program"
status=$?
kill "$reader"
exit "$status"`;

/** @param {number} pid @returns {number[]} */
const descendantsOf = pid => childrenOf(pid).flatMap(child => [child, ...descendantsOf(child)]);

/**
 * A folder of its own, a configuration, and a program that hears no commands: its end is a signal.
 * @param {string} name
 * @param {string} scratch
 * @param {(folder: string, port: number) => string} configure
 * @param {(folder: string) => string[]} args  the configuration is in the file `conf`
 * @param {string} [processors]
 * @returns {Promise<Running>}
 */
async function run(name, scratch, configure, args, processors) {
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(path.join(scratch, `${name}-`));
  const port = await freePort();
  writeFileSync(path.join(folder, 'conf'), configure(folder, port));
  const shell = ['-c', untilInputEnds, 'sh', name, ...args(folder)];
  const program = new TalkingProcess(name, ...onProcessors(processors, 'sh', shell));
  const pid = Number(program.pid);
  const end = async () => {
    await program.end();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await untilItListens(port, name, program);
  } catch (error) {
    await end();
    throw error;
  }
  const use = () => {
    const uses = descendantsOf(pid).map(useOf);
    return {
      cpu: uses.reduce((sum, each) => sum + each.cpu, 0),
      resident: uses.reduce((sum, each) => sum + each.resident, 0),
    };
  };
  return { port, use, end };
}

/** @param {Record<string, string>} given */
const identity = given => ({ cert: given['cert'] ?? '', key: given['key'] ?? '' });

/** @typedef {(given: Record<string, string>, scratch: string, behind: number, processors?: string) => Promise<Running>} RunProxy */

/** @param {string} scratch @param {(port: number) => string} configure @param {string} [processors] */
const runNginx = (scratch, configure, processors) =>
  run(
    'nginx',
    scratch,
    (_, port) => configure(port),
    folder => ['-p', folder, '-c', 'conf'],
    processors,
  );

/** @type {RunProxy} */
const nginx = (given, scratch, behind, processors) =>
  runNginx(scratch, port => nginxInFront({ port, ...identity(given) }, behind), processors);

/** @type {RunProxy} */
const haproxy = (given, scratch, behind, processors) => {
  const { cert, key } = identity(given);
  const configure = (/** @type {string} */ folder, /** @type {number} */ port) => {
    const both = path.join(folder, 'both.pem');
    writeFileSync(both, readFileSync(cert, 'utf8') + readFileSync(key, 'utf8'));
    return haproxyInFront({ port, cert: both }, behind);
  };
  return run('haproxy', scratch, configure, folder => ['-db', '-f', path.join(folder, 'conf')], processors);
};

/** @param {string} scratch @returns {Start} */
const alone = scratch => async (given, processors) => {
  const size = Number(given['size'] ?? 1);
  const configure = (/** @type {number} */ port) => nginxAlone({ port, ...identity(given) }, size, given['ca']);
  const { port, use, end } = await runNginx(scratch, configure, processors);
  return {
    port,
    openssl: 'system',
    snapshot: async () => {
      const { cpu, resident } = use();
      return { time: now(), bytes: 0, handshakes: 0, requests: 0, updates: 0, cpuMain: cpu, cpuAll: cpu, resident };
    },
    collect: async () => {},
    end,
  };
};

/**
 * The main thread is that of the server behind; all threads are those of both.
 * @param {RunProxy} proxy
 * @param {string} scratch
 * @param {Start} startBehind
 * @returns {Start}
 */
const inFront = (proxy, scratch, startBehind) => async (given, processors) => {
  const behind = await startBehind(given, processors);
  try {
    const { port, use, end } = await proxy(given, scratch, behind.port, processors);
    return {
      ...behind,
      port,
      openssl: 'system',
      snapshot: async () => {
        const own = await behind.snapshot();
        const { cpu, resident } = use();
        return { ...own, cpuAll: own.cpuAll + cpu, cpuFront: cpu, resident: own.resident + resident };
      },
      end: async () => {
        await end();
        await behind.end();
      },
    };
  } catch (error) {
    await behind.end();
    throw error;
  }
};

/**
 * Those that this machine has.
 * @param {string} scratch
 * @param {Start} startBehind  node:http
 * @returns {Record<string, Start>}
 */
export function findProxies(scratch, startBehind) {
  return {
    ...(answers('nginx', '-v') && { nginx: alone(scratch), 'nginx-front': inFront(nginx, scratch, startBehind) }),
    ...(answers('haproxy', '-v') && { 'haproxy-front': inFront(haproxy, scratch, startBehind) }),
  };
}
