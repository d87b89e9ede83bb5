// npm run bench [-- NAME...] [--rounds N] [--seconds N] [--threads N] [--only PEER,...] [--against CHECKOUT] [--openssl PREFIX-OR-VERSION] [--no-results]
// npm run bench -- --page: measures nothing; writes the tables in docs/performance.md and README.md again, from bench/results.
//
// NAME is a group (bulk-receive, bulk-send, echo, handshake, verify, http, http2, memory, key-update) or the beginning of a job's name.
// Contestants take turns, A B C A B C ..., so that what disturbs the machine disturbs all of them.

import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { opensslRelease } from '../scripts/openssl-release.mjs';
import { npm } from '../scripts/run.mjs';
import { runMain, setup } from '../scripts/setup.mjs';
import { readArguments } from './harness/arguments.mjs';
import { makeCertificates } from './harness/certificates.mjs';
import { findPeers } from './harness/contestants.mjs';
import { label } from './harness/jobs.mjs';
import { describeMachine } from './harness/machine.mjs';
import { measure } from './harness/measure.mjs';
import { writePages } from './harness/page.mjs';
import { answers } from './harness/proxies.mjs';
import { jobTable, Progress, targetTable, versionTable } from './harness/report.mjs';
import { judge } from './harness/targets.mjs';
import { build, floor, folder, load } from './native/build.mjs';

/** @typedef {import('./harness/jobs.mjs').Job} Job */
/** @typedef {Record<string, import('./harness/targets.mjs').ByContestant>} Results */

const here = path.dirname(fileURLToPath(import.meta.url));

/** @returns {import('./harness/contestants.mjs').Programs} */
function findPrograms(/** @type {string | undefined} */ openssl) {
  if (openssl === undefined) return { node: process.execPath, load, floor, env: process.env };
  const release = opensslRelease(openssl);
  const copy = (/** @type {string} */ program) => release.copy(program, path.join(folder, 'on-prefix'));
  return {
    node: copy(process.execPath),
    load: copy(load),
    floor: copy(floor),
    env: { ...process.env, ...release.env },
  };
}

/**
 * Those that the jobs name and this machine lacks.
 * @param {Job[]} jobs
 * @param {Record<string, unknown>} peers
 */
function missingPeers(jobs, peers) {
  const named = jobs.flatMap(({ contestants }) => contestants.map(({ peer }) => peer));
  return [...new Set(named)].filter(peer => peers[peer] === undefined);
}

/** Programs that are the load of these jobs, and that this machine lacks. @param {Job[]} jobs */
function missingPrograms(jobs) {
  const named = new Set(jobs.flatMap(({ program }) => program ?? []));
  return [...named].filter(program => !answers(program, '--version'));
}

/**
 * @param {Record<string, import('./harness/targets.mjs').ByContestant[string]>} into
 * @param {string} name
 * @param {Record<string, number>} figures
 */
function collect(into, name, figures) {
  into[name] ??= {};
  for (const [figure, value] of Object.entries(figures)) {
    into[name][figure] ??= [];
    into[name][figure].push(value);
  }
}

/**
 * A machine that is busy with other things can be too slow once; twice, and the contestant is out of this job.
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T | undefined>}
 */
async function twice(work) {
  for (const next of ['once more', 'given up']) {
    try {
      return await work();
    } catch (error) {
      console.error(`\n${error instanceof Error ? error.message : error}: ${next}`);
    }
  }
  return undefined;
}

/**
 * @param {Job[]} jobs
 * @param {ReturnType<typeof readArguments>} args
 * @param {Record<string, any>} peers
 * @param {import('./harness/measure.mjs').Setting} setting
 */
async function runAll(jobs, args, peers, setting) {
  /** @type {Results} */
  const results = {};
  /** @type {Record<string, string>} */
  const libraries = {};
  const isHere = (/** @type {import('./harness/jobs.mjs').Contestant} */ { peer }) => peers[peer] !== undefined;
  const turns = jobs.flatMap(({ contestants }) => contestants.filter(isHere)).length * args.rounds;
  const progress = new Progress(turns);
  for (const job of jobs) {
    /** @type {import('./harness/targets.mjs').ByContestant} */
    const byContestant = {};
    /** @type {Set<string>} */
    const out = new Set();
    const takePart = job.contestants.filter(isHere);
    const missing = job.contestants.filter(each => !isHere(each)).map(label);
    for (let round = 0; round < args.rounds; round++) {
      for (const contestant of takePart.filter(each => !out.has(label(each)))) {
        const name = label(contestant);
        progress.step(`${job.name}: ${name}, round ${round + 1}`);
        const measured = await twice(() => measure(job, setting, peers[contestant.peer], contestant));
        if (measured === undefined) {
          out.add(name);
          delete byContestant[name];
          continue;
        }
        libraries[contestant.peer] = measured.openssl;
        collect(byContestant, name, measured.figures);
      }
    }
    progress.clear();
    results[job.name] = byContestant;
    console.log(`${jobTable(job, byContestant, missing)}\n`);
  }
  return { results, libraries };
}

/**
 * @param {Job[]} jobs
 * @param {ReturnType<typeof readArguments>} args
 * @param {Awaited<ReturnType<typeof runAll>>} measured
 * @param {import('./harness/targets.mjs').Judged[]} judged
 * @param {ReturnType<typeof describeMachine>} machine
 * @param {string[]} missing  peers that this machine lacks
 */
async function writeResults(jobs, args, { results, libraries }, judged, machine, missing) {
  const { drawChart } = await import('./harness/chart.mjs');
  const library = libraries['system-tls'] ?? libraries['c'] ?? '';
  const date = new Date().toISOString().slice(0, 10);
  const base = path.join(here, 'results', args.openssl === undefined ? date : `${date}-openssl-${library}`);
  const { rounds, seconds, threads } = args;
  const all = { date, machine, libraries, missing, settings: { rounds, seconds, threads }, targets: judged, results };
  const title = `system-tls, ${date}: OpenSSL ${library}, node ${machine.node}, ${machine.cpu}, ${machine.cores} cores`;
  mkdirSync(path.dirname(base), { recursive: true });
  writeFileSync(`${base}.json`, `${JSON.stringify(all, roundNumbers, 2)}\n`);
  writeFileSync(`${base}.svg`, `${drawChart(jobs, results, title)}\n`);
  writePages();
  await drawHttp();
  console.log(
    `\nWritten: ${path.relative(process.cwd(), base)}.json and .svg, the tables in docs/performance.md and README.md`,
  );
}

/** Its library is installed by the first run. */
async function drawHttp() {
  const { writeHttpChart } = await import('./harness/http-chart.mjs');
  writeHttpChart();
}

/** @param {string} _key @param {unknown} value */
function roundNumbers(_key, value) {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;
}

await runMain(async () => {
  const args = readArguments();
  if (args.page) {
    writePages();
    if (existsSync(path.join(here, 'node_modules/echarts'))) await drawHttp();
    return 0;
  }
  await setup();
  if (npm(['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: here, quiet: true }) !== 0) return 1;
  build();
  const machine = describeMachine();
  const programs = findPrograms(args.openssl);
  const peers = findPeers(programs, folder, args.against);
  const programsMissing = missingPrograms(args.jobs);
  const missing = [...missingPeers(args.jobs, peers), ...programsMissing];
  if (missing.length > 0) console.log(`Not on this machine, and left out: ${missing.join(', ')}\n`);
  const jobs = args.jobs.filter(({ program }) => program === undefined || !programsMissing.includes(program));
  if (jobs.every(({ contestants }) => contestants.every(({ peer }) => missing.includes(peer)))) {
    console.error('Nobody is left to do it.');
    return 1;
  }
  const certificates = makeCertificates(path.join(folder, 'certificates'));
  const measured = await runAll(jobs, args, peers, { ...args, programs, certificates });
  if (args.against !== undefined) {
    console.log(versionTable(jobs, measured.results));
    return 0;
  }
  const judged = judge(measured.results);
  console.log(targetTable(judged));
  if (args.write) await writeResults(jobs, args, measured, judged, machine, missing);
  return 0;
});
