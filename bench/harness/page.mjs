// The tables of results in docs/performance.md and README.md, made of bench/results/*.json. `npm run bench -- --page` rewrites them, and
// so does every run that writes results. The rest of the pages is written by hand.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { withMarkedPart } from '../../scripts/marked-part.mjs';
import { choiceTable, httpTables, summary } from './http-page.mjs';
import { short } from './report.mjs';
import { median, ratios } from './statistics.mjs';

/**
 * @typedef {import('./targets.mjs').ByContestant} ByContestant
 *
 * @typedef {object} Run  a file in bench/results, as far as it is needed here
 * @property {string} file  its name without .json
 * @property {string} date
 * @property {{ cpu: string, cores: number, node: string, loadAverage: number }} machine
 * @property {Record<string, string>} libraries
 * @property {{ rounds: number, seconds: number }} settings
 * @property {Record<string, ByContestant>} results  by job
 *
 * @typedef {object} Row  a line of a table: one kind of work, in some sizes or kinds
 * @property {string} work
 * @property {string} figure
 * @property {[name: string, job: string][]} jobs  one for each size or kind
 * @property {string} ours  the contestant on the loop
 * @property {string} [node]
 * @property {string} [thread]  the contestant on an I/O thread
 *
 * @typedef {{ title: (names: string) => string, rows: Row[] }} Table  the title names the sizes or kinds
 */

const bench = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const folder = path.join(bench, 'results');
const root = path.dirname(bench);

/** @param {string} name */
const marksOf = name => ({
  begin: `<!-- ${name}, written by: npm run bench -- --page -->`,
  end: `<!-- end of the ${name} -->`,
});

const sizes = ['16 KiB', '64 KiB', '1 MiB'];
const messages = ['64 B', '1 KiB'];
const handshakes = ['P-256', 'RSA-2048', 'resumed', 'mutual'];
const onThreads = 'system-tls-threads';

/** @param {string[]} names @param {(name: string) => string} job @returns {Row['jobs']} */
const jobsFor = (names, job) => names.map(name => [name, job(name)]);

/** @param {number} connections */
const count = connections =>
  connections === 1 ? '1 connection' : `${connections.toLocaleString('en-US')} connections`;

/**
 * @param {string} job
 * @param {string} work
 * @param {string} ours
 * @param {Partial<Row>} others
 * @returns {Row[]}
 */
const bulk = (job, work, ours, others) =>
  [1, 8].map(connections => ({
    work: `${work}, ${count(connections)}`,
    figure: 'cpu',
    jobs: jobsFor(sizes, size => `${job} ${connections} x ${size}`),
    ours: `system-tls ${ours}`,
    ...others,
  }));

/** @param {number} connections @param {string} what @param {string} figure @returns {Row} */
const echo = (connections, what, figure) => ({
  work: `${count(connections)}: ${what}`,
  figure,
  jobs: jobsFor(messages, size => `echo ${connections} x ${size}`),
  ours: 'system-tls',
  node: 'node',
  thread: onThreads,
});

/** @param {string} work @param {string} figure @returns {Row} */
const handshake = (work, figure) => ({
  work: `handshake: ${work}`,
  figure,
  jobs: jobsFor(handshakes, name => `handshake ${name}`),
  ours: 'system-tls',
  node: 'node',
  thread: onThreads,
});

/** @param {string} work @param {string} figure @param {string} job @param {Partial<Row>} [others] @returns {Row} */
const other = (work, figure, job, others) => ({ work, figure, jobs: [['', job]], ours: 'system-tls', ...others });

/** @type {Table[]} */
const tables = [
  {
    title: names => `**Bulk data**: CPU in ns/KiB, with writes of ${names}`,
    rows: [
      ...bulk('bulk-receive', 'receive, `onread` into own memory', 'onread', {
        node: 'node onread',
        thread: `${onThreads} onread`,
      }),
      ...bulk('bulk-receive', 'receive, `onread` without a buffer', 'lent', {
        node: 'node onread',
        thread: `${onThreads} lent`,
      }),
      ...bulk('bulk-receive', 'receive, `readInto()`', 'readInto', { node: 'node onread' }),
      ...bulk('bulk-receive', "receive, `'data'`", 'data', { node: 'node data', thread: `${onThreads} data` }),
      ...bulk('bulk-send', 'send, `socket.write()`', 'write', { node: 'node write', thread: `${onThreads} write` }),
      ...bulk('bulk-send', 'send, `ssl.write()`', 'ssl.write', { node: 'node write' }),
    ],
  },
  {
    title: names => `**Echo**, messages of ${names}`,
    rows: [
      echo(1, 'p50, us', 'p50'),
      ...[64, 1000].flatMap(connections => [
        echo(connections, 'CPU, us a request', 'cpu'),
        echo(connections, 'requests a second', 'perSecond'),
      ]),
    ],
  },
  {
    title: names => `**Handshakes**: ${names}`,
    rows: [handshake('CPU, ms', 'cpu'), handshake('event-loop delay p99, ms', 'delayP99')],
  },
  {
    title: () => '**Verification, memory, key updates**',
    rows: [
      other('mutual handshake, OpenSSL decides: CPU, ms', 'cpu', 'verify mutual'),
      other('mutual handshake, `verify` decides at once: CPU, ms', 'cpu', 'verify mutual', {
        ours: 'system-tls verify',
      }),
      other('mutual handshake, `verify` gives a promise: CPU, ms', 'cpu', 'verify mutual', {
        ours: 'system-tls verify later',
      }),
      other('memory of an idle connection, KiB', 'kib', 'memory 5000 idle', { node: 'node' }),
      other('KeyUpdate: CPU, us', 'cpu', 'key-update alone', { ours: 'system-tls ssl.write' }),
      other('send 64 KiB writes, a KeyUpdate every MiB: CPU, ns/KiB', 'cpu', 'key-update every 1 MiB, send', {
        ours: 'system-tls ssl.write',
      }),
      other('receive, `onread`, a KeyUpdate every MiB: CPU, ns/KiB', 'cpu', 'key-update every 1 MiB, receive', {
        ours: 'system-tls onread',
      }),
    ],
  },
];

const head = [
  '| work | loop | node:tls | Bun | C | thread: main thread | thread: all | loop / node:tls |',
  '|---|---|---|---|---|---|---|---|',
];

/** One value for each job, `-` where there is none. @param {string[]} values */
const cell = values => (values.every(value => value === '-') ? '' : values.join(' / '));

/** Those of a row that a run has. @param {Row} row @param {Run} run */
const jobsIn = (row, run) => row.jobs.filter(([, job]) => run.results[job]?.[row.ours]?.[row.figure] !== undefined);

/** Their names, as the title has them. @param {Row} row @param {Run} run */
const namesOf = (row, run) => cell(jobsIn(row, run).map(([name]) => name));

/**
 * @param {Row} row
 * @param {Run} run
 * @param {string} named  in the title: a row of other sizes or kinds names its own
 */
function line(row, run, named) {
  const jobs = jobsIn(row, run).map(([, job]) => job);
  const figures = (/** @type {string} */ job, /** @type {string | undefined} */ who, figure = row.figure) =>
    who === undefined ? undefined : run.results[job]?.[who]?.[figure];
  const column = (/** @type {string | undefined} */ who, figure = row.figure) =>
    cell(jobs.map(job => short(median(figures(job, who, figure) ?? []))));
  const ratio = cell(
    jobs.map(job => {
      const [ours, theirs] = [figures(job, row.ours), figures(job, row.node)];
      return ours === undefined || theirs === undefined ? '-' : ratios(ours, theirs).median.toFixed(2);
    }),
  );
  const names = namesOf(row, run);
  const work = names === named ? row.work : `${row.work} (${names})`;
  const main = row.figure === 'cpu' ? column(row.thread, 'cpuMain') : '';
  const cells = [column(row.ours), column(row.node), column('bun'), column('c'), main, column(row.thread), ratio];
  return `| ${[work, ...cells].join(' | ')} |`.replace(/ {2,}/g, ' ');
}

/** @param {Table} table @param {Run} run */
function tableOf({ title, rows }, run) {
  const [named = ''] = rows.map(row => namesOf(row, run)).sort((a, b) => b.length - a.length);
  return [`${title(named)}:`, '', ...head, ...rows.map(row => line(row, run, named))].join('\n');
}

/** Of a run: versions before and behind the point. @param {Run} run */
const series = ({ libraries }) => (libraries['system-tls'] ?? '').split('.', 2).join('.');

/** @param {Run} run */
function describe({ file, date, machine, libraries, settings }) {
  const { cpu, cores, node, loadAverage } = machine;
  const contestants = [`OpenSSL ${libraries['system-tls']}`, `node ${node} (OpenSSL ${libraries['node']})`];
  if (libraries['bun'] !== undefined) contestants.push(libraries['bun']);
  const times = `medians of ${settings.rounds} rounds of ${settings.seconds} s`;
  return `${date}: ${contestants.join(', ')}; ${cpu}, ${cores} cores, load average ${loadAverage} before; ${times}. [All figures](../bench/results/${file}.json), [chart](../bench/results/${file}.svg).`;
}

/**
 * What stands between the marks of the page. Each row is of the newest run on its version of OpenSSL that has it.
 * @param {Run[]} runs
 */
export function resultTables(runs) {
  const newestFirst = [...runs].sort((a, b) => (a.file < b.file ? 1 : -1));
  /** @param {Row} row @param {Run} run */
  const isOf = (row, run) =>
    newestFirst.find(each => series(each) === series(run) && jobsIn(row, each).length > 0) === run;
  const parts = newestFirst.flatMap(run => {
    const shown = tables
      .map(({ title, rows }) => ({ title, rows: rows.filter(row => isOf(row, run)) }))
      .filter(({ rows }) => rows.length > 0);
    if (shown.length === 0) return [];
    return [describe(run), ...shown.map(table => tableOf(table, run))];
  });
  return parts.join('\n\n');
}

/** What stands between which marks of which page. @type {readonly [page: string, name: string, make: (runs: Run[]) => string][]} */
const parts = [
  ['docs/performance.md', 'results', resultTables],
  ['docs/performance.md', 'HTTP results', httpTables],
  ['docs/performance.md', 'choice', choiceTable],
  ['README.md', 'HTTP summary', summary],
];

export const pages = [...new Set(parts.map(([page]) => page))];

/**
 * A page with the tables of these runs instead of its own.
 * @param {string} page  README.md or docs/performance.md
 * @param {string} text
 * @param {Run[]} runs
 */
export function withTables(page, text, runs) {
  const own = parts.filter(([where]) => where === page);
  return own.reduce((so, [, name, make]) => withMarkedPart(so, marksOf(name), make(runs)), text);
}

/** @returns {Run[]} */
export function readRuns() {
  return readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .map(name => ({
      ...JSON.parse(readFileSync(path.join(folder, name), 'utf8')),
      file: path.basename(name, '.json'),
    }));
}

export function writePages() {
  const runs = readRuns();
  for (const page of pages) {
    const file = path.join(root, page);
    writeFileSync(file, withTables(page, readFileSync(file, 'utf8'), runs));
  }
}
