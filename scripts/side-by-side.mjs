// The test files in several processes of mocha beside each other. What one prints is shown as a whole, when it has ended.

import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { Counts, compiled, conclusion, mochaCommand, runMocha } from './mocha.mjs';
import { environment, root, run } from './run.mjs';
import { plan, quick, slowFolders, testFiles } from './suites.mjs';

/** @typedef {import('./suites.mjs').Job} Job */
/** @typedef {{ node?: string | undefined, env?: NodeJS.ProcessEnv | undefined, folder?: string | undefined }} Where */
/** @typedef {{ end: number | string, output: string, counts: ReturnType<typeof conclusion>['counts'] }} Outcome */

// Half of the time is waiting: for timers of DTLS, for idle connections, for other programs.
const jobsAtOnce = 2 * Math.max(2, availableParallelism());

// Mocha bounds each test. What blocks its thread for good has no other bound.
const patience = 20 * 60_000;

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Nothing goes on when this script is ended. @param {NodeJS.Signals} signal */
function endAll(signal) {
  for (const child of running) child.kill('SIGKILL');
  process.removeListener(signal, endAll);
  process.kill(process.pid, signal);
}

const signals = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/**
 * Runs mocha with its output in a file: a pipe would stay open as long as any program that a test has left behind.
 * @param {Job} job  @param {string} folder  for its files  @param {Where} where
 * @returns {Promise<Outcome>}
 */
export function runJob(job, folder, { node = process.execPath, env = {}, folder: cwd = root }) {
  const [log, countsFile] = [path.join(folder, 'log'), path.join(folder, 'counts.json')];
  const output = openSync(log, 'w');
  const colour = process.stdout.isTTY ? ['--color'] : ['--no-color'];
  const child = spawn(node, mochaCommand([...colour, ...job.files.map(compiled)]), {
    cwd,
    env: environment({
      ...env,
      ...(job.threads ? { SYSTEM_TLS_TEST_IO: 'threads' } : {}),
      SYSTEM_TLS_TEST_COUNTS: countsFile,
    }),
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  running.add(child);
  const timer = setTimeout(() => child.kill('SIGKILL'), patience);
  return new Promise(resolve => {
    const ended = (/** @type {number | string} */ end) => {
      clearTimeout(timer);
      running.delete(child);
      const { counts, complaint } = conclusion(countsFile, end);
      resolve({ end, counts, output: [readFileSync(log, 'utf8').trimEnd(), complaint ?? ''].join('\n').trimEnd() });
    };
    child.once('error', error => ended(error.message));
    child.once('exit', (code, signal) => ended(code ?? signal ?? 'unknown'));
  });
}

/**
 * @param {Job[]} jobs  in their order
 * @param {number} atOnce
 * @param {(job: Job) => Promise<void>} work
 */
async function side(jobs, atOnce, work) {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await work(job);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** How to see a failure again. @param {Job} job */
const again = ({ files, threads }) => `${threads ? 'SYSTEM_TLS_TEST_IO=threads ' : ''}npm test -- ${files.join(' ')}`;

const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/**
 * The certificates of all processes; each takes a copy. Without them each makes its own.
 * @param {string} folder @param {Where} where
 */
function makeCertificates(folder, { node = process.execPath, env = {} }) {
  const script = path.join(root, 'dist-test/support/make-certificates.js');
  return run(node, [script, folder], { env, quiet: true }) === 0 ? { SYSTEM_TLS_TEST_CERTIFICATES: folder } : {};
}

/**
 * Some files, also on I/O threads where that is due.
 * @param {string[]} files  as test/sockets/stream/http.test.ts
 * @param {Where} [where]
 */
export async function runSuites(files, { node, env, folder: cwd } = {}) {
  const begin = performance.now();
  const counts = new Counts();
  /** @type {string[]} */
  const failed = [];
  const { beside, alone } = plan(files);
  const folder = mkdtempSync(path.join(tmpdir(), 'system-tls-suites-'));
  for (const signal of signals) process.on(signal, endAll);
  try {
    const where = {
      node,
      folder: cwd,
      env: { ...env, ...makeCertificates(path.join(folder, 'certificates'), { node, env }) },
    };
    const work = async (/** @type {Job} */ job) => {
      const since = performance.now();
      const outcome = await runJob(job, mkdtempSync(path.join(folder, 'job-')), where);
      console.log(`\n-- ${job.title} (${seconds(since)})\n${outcome.output}`);
      counts.add(outcome.counts);
      if (outcome.counts.failed > 0) failed.push(again(job));
    };
    await side(beside, jobsAtOnce, work);
    await side(alone, 1, work);
  } finally {
    // Some are left if this script itself has failed.
    for (const child of running) child.kill('SIGKILL');
    for (const signal of signals) process.removeListener(signal, endAll);
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`\n-- ${beside.length + alone.length} processes, ${jobsAtOnce} at once (${seconds(begin)})`);
  for (const command of failed) console.log(`failed: ${command}`);
  return counts;
}

/** As test/sockets; undefined for what names no folder, as the word `test` behind -g. @param {string} arg */
export function folderOf(arg) {
  if (!/^(\.\/)?test\//.test(arg)) return undefined;
  const full = path.join(root, arg);
  return existsSync(full) && statSync(full).isDirectory() ? path.posix.join(arg).replace(/\/$/, '') : undefined;
}

/**
 * The tests that a command line asks for: those that are not slow, those of some folders, or what mocha makes of it.
 * @param {string[]} args
 * @param {Where} [where]
 */
export async function runTests(args, where) {
  const folders = args.map(folderOf).filter(folder => folder !== undefined);
  if (args.length === 0) {
    const counts = await runSuites(quick(testFiles(['test'])), where);
    console.log(`not run, since they are slow: npm test -- ${slowFolders.join(' ')}`);
    return counts;
  }
  if (folders.length === args.length) return runSuites(testFiles(folders), where);
  return runMocha(
    args.flatMap(arg => {
      const folder = folderOf(arg);
      return folder === undefined ? [arg] : testFiles([folder]);
    }),
    where,
  );
}
