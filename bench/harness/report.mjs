// What a person reads in the terminal.

import process from 'node:process';
import { beforeOf, label } from './jobs.mjs';
import { ratios, spread } from './statistics.mjs';

/** @typedef {import('./jobs.mjs').Job} Job */
/** @typedef {import('./targets.mjs').ByContestant} ByContestant */

/** @type {Record<import('./jobs.mjs').Kind, [figure: string, title: string][]>} */
const columns = {
  bulk: [
    ['cpu', 'CPU ns/KiB'],
    ['cpuMain', 'main thread'],
    ['perSecond', 'GB/s'],
  ],
  echo: [
    ['cpu', 'CPU us/request'],
    ['cpuMain', 'main thread'],
    ['perSecond', 'requests/s'],
    ['p50', 'p50 us'],
    ['p99', 'p99 us'],
  ],
  handshake: [
    ['cpu', 'CPU ms each'],
    ['cpuMain', 'main thread'],
    ['perSecond', 'per second'],
    ['delayP99', 'loop p99 ms'],
    ['delayMax', 'loop max ms'],
  ],
  http: [
    ['cpuMain', 'main us/request'],
    ['cpu', 'all threads'],
    ['perSecond', 'requests/s'],
    ['p50', 'p50 us'],
    ['p99', 'p99 us'],
    ['delayP99', 'loop p99 ms'],
  ],
  memory: [['kib', 'KiB/connection']],
  update: [
    ['cpu', 'CPU us each'],
    ['cpuMain', 'main thread'],
    ['perSecond', 'per second'],
  ],
};

/** The figure by which contestants are compared. @param {Job} job */
export const mainFigure = job => columns[job.kind][0]?.[0] ?? 'cpu';

/** @param {Job} job */
export const mainTitle = job => columns[job.kind][0]?.[1] ?? '';

/** Whom the others are compared with. @param {Job} job */
export const referenceOf = job => (job.kind === 'http' ? 'node' : 'c');

/** @param {number} value */
export function short(value) {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en-US');
  return value.toPrecision(3);
}

/** @param {import('./statistics.mjs').Spread} ratio */
const range = ({ median, min, max }) => `${median.toFixed(2)} (${min.toFixed(2)}..${max.toFixed(2)})`;

/** @param {string[][]} rows */
function table(rows) {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0))) ?? [];
  const line = (/** @type {string[]} */ row) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return rows.map(line).join('\n');
}

/**
 * @param {Job} job
 * @param {ByContestant} byContestant
 * @param {string[]} missing  contestants whose peer this machine lacks
 */
export function jobTable(job, byContestant, missing) {
  const shown = columns[job.kind];
  const figure = mainFigure(job);
  const reference = byContestant[referenceOf(job)]?.[figure];
  const to = `ratio to ${job.kind === 'http' ? 'node' : 'C'}`;
  const rows = job.contestants.flatMap(contestant => {
    const found = byContestant[label(contestant)];
    if (found === undefined) return missing.includes(label(contestant)) ? [[label(contestant), 'not here']] : [];
    const own = found[figure] ?? [];
    const cells = shown.map(([name]) => short(spread(found[name] ?? []).median));
    return [[label(contestant), ...cells, reference === undefined ? '' : range(ratios(own, reference))]];
  });
  return table([[job.name, ...shown.map(([, title]) => title), reference === undefined ? '' : to], ...rows]);
}

/** @param {import('./targets.mjs').Judged[]} judged */
export function targetTable(judged) {
  const rows = judged.map(({ work, job, ours, theirs, sense, limit, ratio, met }) => [
    job,
    work,
    `${ours} / ${theirs}`,
    `${sense} ${limit.toFixed(2)}`,
    range(ratio),
    met ? 'met' : 'MISSED',
  ]);
  return table([['job', 'target', 'ratio of', 'limit', 'measured', ''], ...rows]);
}

/** Where we are, on one line that is overwritten in a terminal. */
export class Progress {
  #total;
  #done = 0;
  #began = Date.now();

  /** @param {number} total */
  constructor(total) {
    this.#total = total;
  }

  /** @param {string} text */
  step(text) {
    const minutes = (Date.now() - this.#began) / 60_000;
    const left =
      this.#done === 0 ? '' : `, ${((minutes / this.#done) * (this.#total - this.#done)).toFixed(1)} min left`;
    this.#done++;
    this.#show(`[${this.#done}/${this.#total}${left}] ${text}`);
  }

  clear() {
    this.#show('');
  }

  /** @param {string} text */
  #show(text) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
    else if (text !== '') process.stderr.write(`${text}\n`);
  }
}

/**
 * This version as a ratio to the one before: the median of the rounds, and in brackets the lowest and highest.
 * @param {Job[]} jobs
 * @param {Record<string, ByContestant>} results
 */
export function versionTable(jobs, results) {
  const rows = jobs.flatMap(job =>
    job.contestants.flatMap(contestant => {
      const [before] = beforeOf(contestant);
      const now = results[job.name]?.[label(contestant)];
      const then = before && results[job.name]?.[label(before)];
      return now && then
        ? [`| ${job.name} | ${label(contestant)} | ${versionCells(job, now, then).join(' | ')} |`]
        : [];
    }),
  );
  return ['| work | | this version / before |', '|---|---|---|', ...rows].join('\n');
}

/** @param {Job} job @param {Record<string, number[]>} now @param {Record<string, number[]>} then */
function versionCells(job, now, then) {
  return columns[job.kind].flatMap(([figure, title]) => {
    if (now[figure] === undefined || then[figure] === undefined) return [];
    const { median, min, max } = ratios(now[figure], then[figure]);
    return `${title} ${median.toFixed(3)} (${min.toFixed(2)} to ${max.toFixed(2)})`;
  });
}
