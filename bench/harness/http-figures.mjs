// What tables and chart of the HTTP jobs show: each job as the newest run has it.

import { short } from './report.mjs';
import { median, ratios } from './statistics.mjs';

/**
 * @typedef {import('./page.mjs').Run} Run
 * @typedef {import('./targets.mjs').ByContestant} ByContestant
 */

/** The job that says most: small answers, connections that stay. */
export const example = 'http keep-alive 64 x 1 KiB';

/** As the documents call them. @type {readonly [contestant: string, name: string][]} */
export const contestants = [
  ['plain', 'node:http, no TLS'],
  ['node', 'node:https'],
  ['system-tls', 'loop'],
  ['system-tls-threads', 'thread'],
  ['system-tls drop-in', 'loop, drop-in'],
  ['system-tls-threads drop-in', 'thread, drop-in'],
  ['system-tls-threads register', 'thread, register'],
  ['bun', 'Bun'],
  ['nginx-front', 'nginx in front'],
  ['haproxy-front', 'HAProxy in front'],
];

/** Newest first. @param {readonly Run[]} runs */
const newestFirst = runs => [...runs].sort((a, b) => (a.file < b.file ? 1 : -1));

/** Runs on another OpenSSL than the system's have files of their own. @param {Run} run */
const onSystem = ({ file }) => !file.includes('-openssl-');

/** The newest that has it. @param {readonly Run[]} runs @param {string} job */
export const runOf = (runs, job) =>
  newestFirst(runs).find(run => onSystem(run) && Object.keys(run.results[job] ?? {}).length > 0);

/** @param {readonly Run[]} runs @param {string} job @returns {ByContestant} */
export const resultsOf = (runs, job) => runOf(runs, job)?.results[job] ?? {};

/** @param {ByContestant} results @param {string} who @param {string} figure */
export const medianOf = (results, who, figure) => median(results[who]?.[figure] ?? []);

/** @param {ByContestant} results @param {string} who @param {string} figure */
export const shortOf = (results, who, figure) =>
  results[who]?.[figure] === undefined ? '' : short(medianOf(results, who, figure));

/** Of each round by itself; empty where one of them is not there. @param {ByContestant} results @param {string} ours @param {string} theirs @param {string} figure */
export function ratioOf(results, ours, theirs, figure) {
  const [own, other] = [results[ours]?.[figure], results[theirs]?.[figure]];
  return own === undefined || other === undefined ? '' : ratios(own, other).median.toFixed(2);
}

/** @param {readonly string[][]} rows  the first is the head */
export function markdown(rows) {
  const line = (/** @type {readonly string[]} */ cells) => `| ${cells.join(' | ')} |`.replace(/ {2,}/g, ' ');
  const [head = [], ...rest] = rows;
  return [line(head), `|${'---|'.repeat(head.length)}`, ...rest.map(line)].join('\n');
}
