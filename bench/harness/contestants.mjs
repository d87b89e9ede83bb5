// Who is measured, and how each is started.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TalkingProcess } from './processes.mjs';

const bench = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} Snapshot
 * @property {number} time  nanoseconds
 * @property {number} bytes
 * @property {number} handshakes
 * @property {number} updates
 * @property {number} cpuMain  nanoseconds
 * @property {number} cpuAll
 * @property {number} resident  bytes
 * @property {number | null} [delayP99]  nanoseconds
 * @property {number | null} [delayMax]
 *
 * @typedef {object} Measured
 * @property {number} port
 * @property {string} openssl
 * @property {() => Promise<Snapshot>} snapshot
 * @property {() => Promise<void>} collect
 * @property {() => Promise<void>} end
 *
 * @typedef {object} Programs
 * @property {string} node  that runs system-tls
 * @property {string} load
 * @property {string} floor
 * @property {NodeJS.ProcessEnv} env  of those three
 */

/** @param {TalkingProcess} server @returns {Promise<Measured>} */
async function started(server) {
  try {
    const { port, openssl } = await server.hear('listening');
    return {
      port,
      openssl,
      snapshot: () => {
        server.say('snapshot');
        return server.hear('snapshot');
      },
      collect: async () => {
        server.say('collect');
        await server.hear('collected');
      },
      end: () => server.end(),
    };
  } catch (error) {
    await server.end();
    throw error;
  }
}

/** Bun's binary lies in the package of the platform. */
function findBun() {
  const folder = path.join(bench, 'node_modules/@oven');
  const candidates = existsSync(folder) ? readdirSync(folder).map(name => path.join(folder, name, 'bin/bun')) : [];
  return candidates.find(candidate => {
    try {
      execFileSync(candidate, ['--version'], { stdio: 'pipe' });
      return true;
    } catch {
      return false; // built for another C library
    }
  });
}

/** @param {string} command @param {string[]} args */
function answers(command, args) {
  try {
    execFileSync(command, args, { stdio: 'pipe' });
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

/** @param {Record<string, string>} given @param {number} port */
function nginxConfiguration(given, port) {
  const client = given['ca'] === undefined ? '' : `ssl_verify_client on; ssl_client_certificate ${given['ca']};`;
  return `
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error;
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${given['cert']}; ssl_certificate_key ${given['key']};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_ecdh_curve X25519; ${client}
    location / { return 200 "${'x'.repeat(Number(given['size'] ?? 1))}"; }
  }
}
`;
}

/** @param {number} pid */
function cpuOf(pid) {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const times = tasks.map(task => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  return times.reduce((sum, time) => sum + time, 0);
}

/** @param {number} master */
async function workerOf(master) {
  for (let tries = 0; tries < 100; tries++) {
    const pid = Number(readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ')[0]);
    if (pid > 0) return pid;
    await sleep(50);
  }
  throw new Error('nginx started no worker');
}

/** @param {Record<string, string>} given @param {string} scratch @returns {Promise<Measured>} */
async function startNginx(given, scratch) {
  mkdirSync(scratch, { recursive: true });
  const folder = mkdtempSync(path.join(scratch, 'nginx-'));
  const port = await freePort();
  writeFileSync(path.join(folder, 'nginx.conf'), nginxConfiguration(given, port));
  // It hears no commands: its end is a signal.
  const master = new TalkingProcess('nginx', 'nginx', ['-p', folder, '-c', 'nginx.conf']);
  const worker = await workerOf(Number(master.pid));
  return {
    port,
    openssl: 'system',
    snapshot: async () => {
      const cpu = cpuOf(worker) + cpuOf(Number(master.pid));
      const pages = Number(readFileSync(`/proc/${worker}/statm`, 'utf8').split(' ')[1]);
      return { time: now(), bytes: 0, handshakes: 0, updates: 0, cpuMain: cpu, cpuAll: cpu, resident: pages * 4096 };
    },
    collect: async () => {},
    end: async () => {
      process.kill(Number(master.pid), 'SIGTERM');
      await master.end();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/**
 * The peers that this machine has: each starts a process for a job.
 * @param {Programs} programs
 * @param {string} scratch
 * @param {string} [against]  the checkout of another version of ours
 */
export function findPeers(programs, scratch, against) {
  const bun = findBun();
  const script = (/** @type {string} */ name, folder = bench) => path.join(folder, 'servers', name);
  const flags = (/** @type {Record<string, string>} */ given) => {
    const { mode = '', ...rest } = given;
    return [mode, ...Object.entries(rest).flatMap(([name, value]) => [`--${name}`, value])];
  };
  /** @param {string} name @param {Record<string, string>} given @param {string} [folder] */
  const ours = (name, given, folder) => {
    const args = ['--expose-gc', script('system-tls.mjs', folder), ...flags(given)];
    return started(new TalkingProcess(name, programs.node, args, programs.env));
  };
  /** @type {Record<string, (given: Record<string, string>) => Promise<Measured>>} */
  const peers = {
    c: given => started(new TalkingProcess('C', programs.floor, flags(given), programs.env)),
    'system-tls': given => ours('system-tls', given),
    'system-tls-threads': given => ours('system-tls on threads', { ...given, io: '1' }),
    node: given => {
      const args = ['--expose-gc', script('node-tls.mjs'), ...flags(given)];
      return started(new TalkingProcess('node:tls', process.execPath, args));
    },
  };
  if (against !== undefined) {
    const folder = path.join(against, 'bench');
    peers['before'] = given => ours('before', given, folder);
    peers['before-threads'] = given => ours('before, on threads', { ...given, io: '1' }, folder);
  }
  if (bun !== undefined) {
    peers['bun'] = given => started(new TalkingProcess('Bun', bun, [script('bun.mjs'), ...flags(given)]));
  }
  if (answers('nginx', ['-v'])) peers['nginx'] = given => startNginx(given, scratch);
  return peers;
}
