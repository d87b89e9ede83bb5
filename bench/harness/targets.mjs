// What system-tls promises, each as a ratio within one run.

import { httpTargets } from './http-targets.mjs';
import { ratios } from './statistics.mjs';

/**
 * @typedef {object} Target
 * @property {string} work
 * @property {string} job
 * @property {string} ours
 * @property {string} theirs
 * @property {string} figure
 * @property {number} limit
 * @property {'at most' | 'at least'} [sense]  default: at most
 */

/** @param {string} work @param {string} job @param {string} ours @param {[string, number][]} limits @param {string} [figure] */
const atMost = (work, job, ours, limits, figure = 'cpu') =>
  limits.map(([theirs, limit]) => ({ work, job, ours, theirs, figure, limit }));

const onThreads = 'system-tls-threads';

const bulkNames = [1, 8].flatMap(connections => ['16 KiB', '64 KiB', '1 MiB'].map(size => `${connections} x ${size}`));

/** @returns {Target[]} */
function bulkTargets() {
  return bulkNames.flatMap(what => {
    const receive = `bulk-receive ${what}`;
    const send = `bulk-send ${what}`;
    /** @type {[string, number][]} */
    const own = [
      ['c', 1],
      ['node onread', 0.7],
      ['bun', 1.05],
    ];
    /** @type {[string, number][]} */
    const sending = [
      ['c', 0.9],
      ['node write', 0.88],
      ['bun', 1.05],
    ];
    return [
      ...atMost('receive into own memory', receive, 'system-tls onread', own),
      ...atMost('receive into own memory', receive, 'system-tls readInto', own),
      ...atMost("receive by 'data'", receive, 'system-tls data', [['node data', 0.85]]),
      ...atMost('send', send, 'system-tls write', sending),
      ...atMost('send', send, 'system-tls ssl.write', sending),
      ...atMost('with threads, main thread', receive, `${onThreads} onread`, [['node onread', 0.15]], 'cpuMain'),
      ...atMost('with threads, main thread', receive, `${onThreads} lent`, [['node onread', 0.15]], 'cpuMain'),
      ...atMost('with threads, main thread', receive, `${onThreads} data`, [['node data', 0.15]], 'cpuMain'),
      ...atMost('with threads, main thread', send, `${onThreads} write`, [['node write', 0.15]], 'cpuMain'),
    ];
  });
}

/** @returns {Target[]} */
function echoTargets() {
  const many = ['echo 64 x 1 KiB', 'echo 1000 x 1 KiB'].flatMap(job => [
    ...atMost('echo, CPU a request', job, 'system-tls', [
      ['node', 0.55],
      ['bun', 0.95],
    ]),
    /** @type {Target} */
    ({
      work: 'echo, requests a second',
      job,
      ours: 'system-tls',
      theirs: 'node',
      figure: 'perSecond',
      limit: 1.5,
      sense: 'at least',
    }),
  ]);
  const one = atMost(
    'echo, p50',
    'echo 1 x 64 B',
    'system-tls',
    [
      ['c', 1.2],
      ['node', 1],
    ],
    'p50',
  );
  return [...many, ...one];
}

const handshakeNames = ['handshake P-256', 'handshake RSA-2048', 'handshake resumed', 'handshake mutual'];

/** @type {Target[]} */
export const targets = [
  ...bulkTargets(),
  ...echoTargets(),
  ...handshakeNames.flatMap(job => atMost('handshake, CPU each', job, 'system-tls', [['c', 1.1]])),
  ...handshakeNames.flatMap(job =>
    atMost('with threads, event-loop delay p99', job, onThreads, [['node', 0.5]], 'delayP99'),
  ),
  ...atMost(
    'memory of an idle connection',
    'memory 5000 idle',
    'system-tls',
    [
      ['c', 1.25],
      ['node', 0.4],
    ],
    'kib',
  ),
  ...httpTargets,
];

/**
 * @typedef {Record<string, Record<string, number[]>>} ByContestant  figures by round
 *
 * @typedef {Target & { ratio: import('./statistics.mjs').Spread, met: boolean }} Judged
 *
 * @param {Record<string, ByContestant>} results  by job and contestant
 * @returns {Judged[]}
 */
export function judge(results) {
  return targets.flatMap(target => {
    const ours = results[target.job]?.[target.ours]?.[target.figure];
    const theirs = results[target.job]?.[target.theirs]?.[target.figure];
    if (ours === undefined || theirs === undefined) return [];
    const ratio = ratios(ours, theirs);
    const met = target.sense === 'at least' ? ratio.median >= target.limit : ratio.median <= target.limit;
    return [{ ...target, sense: target.sense ?? 'at most', ratio, met }];
  });
}
