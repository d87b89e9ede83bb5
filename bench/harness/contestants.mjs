// Who is measured, and how each is started.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { TalkingProcess } from './processes.mjs';
import { onProcessors } from './processors.mjs';
import { findProxies } from './proxies.mjs';

const bench = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/**
 * @typedef {object} Snapshot
 * @property {number} time  nanoseconds
 * @property {number} bytes
 * @property {number} handshakes
 * @property {number} [requests]  of HTTP; another version of ours may not count them
 * @property {number} updates
 * @property {number} cpuMain  nanoseconds
 * @property {number} cpuAll
 * @property {number} [cpuFront]  of a proxy in front; part of cpuAll
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
 * @typedef {(given: Record<string, string>, processors?: string) => Promise<Measured>} Start
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

/** @param {string} name */
const script = (name, folder = bench) => path.join(folder, 'servers', name);

/** What an application with that interface of ours is started with. @param {string | undefined} api @param {string} folder */
function scriptOf(api, folder) {
  const register = ['--require', path.join(folder, '../dist/compat/register.js')];
  if (api === 'register') return [...register, script('registered.mjs', folder)];
  return [script(api === 'drop-in' ? 'drop-in.mjs' : 'system-tls.mjs', folder)];
}

/** How `register` is told. */
const oneThread = { SYSTEM_TLS_IO_THREADS: '1' };

/** @param {Record<string, string>} given */
function flags({ mode = '', ...rest }) {
  return [mode, ...Object.entries(rest).flatMap(([name, value]) => [`--${name}`, value])];
}

/**
 * The peers that this machine has: each starts a process for a job.
 * @param {Programs} programs
 * @param {string} scratch
 * @param {string} [against]  the checkout of another version of ours
 */
export function findPeers(programs, scratch, against) {
  const bun = findBun();
  /** @param {string} name @param {Record<string, string>} given @param {string | undefined} processors @param {string} [folder] */
  const ours = (name, given, processors, folder = bench) => {
    const args = ['--expose-gc', ...scriptOf(given['api'], folder), ...flags(given)];
    const env = { ...programs.env, ...(given['api'] === 'register' && given['io'] === '1' ? oneThread : {}) };
    return started(new TalkingProcess(name, ...onProcessors(processors, programs.node, args), env));
  };
  /** @param {string} name @param {string} file @returns {Start} */
  const nodes = (name, file) => (given, processors) => {
    const args = ['--expose-gc', script(file), ...flags(given)];
    return started(new TalkingProcess(name, ...onProcessors(processors, process.execPath, args)));
  };
  const plain = nodes('node:http', 'node-http.mjs');
  /** @type {Record<string, Start>} */
  const peers = {
    c: given => started(new TalkingProcess('C', programs.floor, flags(given), programs.env)),
    'system-tls': (given, on) => ours('system-tls', given, on),
    'system-tls-threads': (given, on) => ours('system-tls on threads', { ...given, io: '1' }, on),
    node: nodes('node:tls', 'node-tls.mjs'),
    plain,
    ...findProxies(scratch, plain),
  };
  if (against !== undefined) {
    const folder = path.join(against, 'bench');
    peers['before'] = (given, on) => ours('before', given, on, folder);
    peers['before-threads'] = (given, on) => ours('before, on threads', { ...given, io: '1' }, on, folder);
  }
  if (bun !== undefined) {
    peers['bun'] = (given, on) =>
      started(new TalkingProcess('Bun', ...onProcessors(on, bun, [script('bun.mjs'), ...flags(given)])));
  }
  return peers;
}
