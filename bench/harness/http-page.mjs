// The tables of the HTTP jobs in docs/performance.md and in README.md.

import { contestants, example, markdown, medianOf, ratioOf, resultsOf, runOf, shortOf } from './http-figures.mjs';
import { httpJobs } from './http-jobs.mjs';
import { judge } from './targets.mjs';

/** @typedef {import('./page.mjs').Run} Run */

/** A job as a row calls it. @type {Record<string, string>} */
const titles = {
  'http keep-alive 64 x 1 KiB': '64 connections, 1 KiB',
  'http keep-alive 1000 x 1 KiB': '1,000 connections, 1 KiB',
  'http keep-alive 64 x 64 KiB': '64 connections, 64 KiB',
  'http new connection, full': 'a new connection each, full handshake',
  'http new connection, resumed': 'a new connection each, resumed',
  'http 1 MiB down': '1 MiB down, 8 connections',
  'http 1 MiB up': '1 MiB up, 8 connections',
  'http2 GET 1 KiB': 'HTTP/2, GET of 1 KiB',
  'http2 1 MiB down': 'HTTP/2, 1 MiB down',
  'http2 1 MiB up': 'HTTP/2, 1 MiB up',
};

/** Those that were measured. @param {readonly Run[]} runs */
const jobsIn = runs => httpJobs.map(({ name }) => name).filter(name => runOf(runs, name) !== undefined);

/** What a table shows of a contestant at a job. @typedef {(results: import('./targets.mjs').ByContestant, who: string) => string} Cell */

/** @type {readonly [title: string, cell: Cell][]} */
const tables = [
  [
    'CPU in us a request: main thread / all threads',
    (results, who) => [shortOf(results, who, 'cpuMain'), shortOf(results, who, 'cpu')].filter(Boolean).join(' / '),
  ],
  ['Requests a second', (results, who) => shortOf(results, who, 'perSecond')],
  [
    'Latency in us: p50 / p99',
    (results, who) => [shortOf(results, who, 'p50'), shortOf(results, who, 'p99')].filter(Boolean).join(' / '),
  ],
  ['Event-loop delay, p99 in ms', (results, who) => shortOf(results, who, 'delayP99')],
];

/** @param {readonly Run[]} runs @param {Cell} cell */
function tableOf(runs, cell) {
  const jobs = jobsIn(runs);
  const shown = contestants.filter(([who]) => jobs.some(job => resultsOf(runs, job)[who] !== undefined));
  const rows = jobs.map(job => [titles[job] ?? job, ...shown.map(([who]) => cell(resultsOf(runs, job), who))]);
  return markdown([['', ...shown.map(([, name]) => name)], ...rows]);
}

/** @param {readonly Run[]} runs */
function targetTable(runs) {
  const results = Object.fromEntries(jobsIn(runs).map(job => [job, resultsOf(runs, job)]));
  const rows = judge(results).map(({ job, work, ours, theirs, sense, limit, ratio, met }) => [
    titles[job] ?? job,
    work,
    `${ours} / ${theirs}`,
    `${sense} ${limit.toFixed(2)}`,
    `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)})`,
    met ? 'met' : 'missed',
  ]);
  return markdown([['job', 'figure', 'ratio of', 'target', 'measured', ''], ...rows]);
}

/** @param {Run} run */
function describe({ file, date, machine, libraries, settings }) {
  const { cpu, cores, node, loadAverage } = machine;
  const versions = [`OpenSSL ${libraries['system-tls']}`, `node ${node} (OpenSSL ${libraries['node']})`];
  const { rounds, seconds } = settings;
  const times = rounds === 1 ? `one round of ${seconds} s` : `medians of ${rounds} rounds of ${seconds} s`;
  return `${date}: ${versions.join(', ')}; ${cpu}, ${cores} cores, load average ${loadAverage} before; ${times}. [All figures](../bench/results/${file}.json).`;
}

const notMeasured = 'Not measured yet: `npm run bench -- http`.';

/** docs/performance.md, "HTTP". @param {readonly Run[]} runs */
export function httpTables(runs) {
  const used = [...new Set(jobsIn(runs).flatMap(job => runOf(runs, job) ?? []))];
  if (used.length === 0) return notMeasured;
  const parts = tables.map(([title, cell]) => `**${title}**:\n\n${tableOf(runs, cell)}`);
  return [...used.map(describe), ...parts, `**Targets**:\n\n${targetTable(runs)}`].join('\n\n');
}

const [onLoop, onThread] = ['system-tls', 'system-tls-threads'];

/** docs/performance.md, "Loop, thread or kernel". @param {readonly Run[]} runs */
export function choiceTable(runs) {
  const rows = jobsIn(runs).map(job => {
    const results = resultsOf(runs, job);
    const kind = results[onThread] === undefined ? ' drop-in' : '';
    const [loop, thread] = [onLoop + kind, onThread + kind];
    return [
      titles[job] ?? job,
      shortOf(results, loop, 'cpuMain'),
      shortOf(results, thread, 'cpuMain'),
      ...['cpuMain', 'cpu', 'perSecond', 'p50'].map(figure => ratioOf(results, thread, loop, figure)),
    ];
  });
  if (rows.length === 0) return notMeasured;
  const figures = ['main thread', 'all threads', 'requests a second', 'p50'];
  const head = [
    '',
    'loop: main thread, us',
    'thread: main thread, us',
    ...figures.map(name => `thread / loop, ${name}`),
  ];
  return markdown([head, ...rows]);
}

/** Of README.md. @type {readonly [who: string, name: string][]} */
const inShort = [
  ['plain', '`node:http`, no TLS at all'],
  ['node', '`node:https`'],
  [onLoop, 'this package, on the event loop'],
  [onThread, 'this package, on one I/O thread'],
  ['nginx-front', 'nginx in front of `node:http`'],
];

/** README.md. @param {readonly Run[]} runs */
export function summary(runs) {
  const run = runOf(runs, example);
  if (run === undefined) return notMeasured;
  const results = resultsOf(runs, example);
  const rows = inShort
    .filter(([who]) => results[who] !== undefined)
    .map(([who, name]) => [
      name,
      ...['cpuMain', 'cpu', 'perSecond'].map(figure => shortOf(results, who, figure)),
      ratioOf(results, who, 'node', 'cpuMain'),
    ]);
  const head = ['', 'main thread, us a request', 'all threads', 'requests a second', 'main thread / `node:https`'];
  const { cpu, cores, node } = run.machine;
  return `${markdown([head, ...rows])}\n\n64 connections, answers of 1 KiB; ${cpu}, ${cores} cores, node ${node}, ${run.date}.`;
}

/** For the chart: medians in us. @param {readonly Run[]} runs */
export function bars(runs) {
  const results = resultsOf(runs, example);
  return inShort
    .filter(([who]) => results[who] !== undefined)
    .map(([who, name]) => {
      const [main, all] = [medianOf(results, who, 'cpuMain'), medianOf(results, who, 'cpu')];
      const front = results[who]?.['cpuFront'] === undefined ? 0 : medianOf(results, who, 'cpuFront');
      return { name: name.replaceAll('`', ''), main, front, others: Math.max(0, all - main - front) };
    });
}
