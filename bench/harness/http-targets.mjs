// What an HTTPS service is promised. The main thread is the one of JavaScript.

/** @typedef {import('./targets.mjs').Target} Target */

const thread = 'system-tls-threads';
const small = 'http keep-alive 64 x 1 KiB';
const large = 'http keep-alive 64 x 64 KiB';
const bodies = ['http 1 MiB down', 'http 1 MiB up'];
const connections = ['full', 'resumed'].map(kind => `http new connection, ${kind}`);
const all = [small, 'http keep-alive 1000 x 1 KiB', large, ...connections, ...bodies];

const mainThread = { figure: 'cpuMain', work: 'HTTPS on a thread, main thread' };
const allThreads = { figure: 'cpu', work: 'HTTPS on a thread, all threads' };

/** @param {{ figure: string, work: string }} what @param {string} job @param {string} theirs @param {number} limit @returns {Target} */
const onThread = (what, job, theirs, limit) => ({ ...what, job, ours: thread, theirs, limit });

/** What is in the place of node:tls costs hardly more than our own interface. @type {Target[]} */
const dropIn = all.flatMap(job =>
  [
    { ours: `${thread} drop-in`, theirs: thread },
    { ours: `${thread} register`, theirs: thread },
    { ours: 'system-tls drop-in', theirs: 'system-tls' },
  ].map(pair => ({ work: 'in the place of node:tls, main thread', figure: 'cpuMain', job, ...pair, limit: 1.15 })),
);

/** @param {string} job @param {number} limit @returns {Target} */
const http2 = (job, limit) => ({
  work: 'HTTP/2 on a thread, main thread',
  figure: 'cpuMain',
  job: `http2 ${job}`,
  ours: `${thread} drop-in`,
  theirs: 'node',
  limit,
});

/** @type {Target[]} */
export const httpTargets = [
  onThread(mainThread, small, 'plain', 0.5),
  onThread(mainThread, small, 'node', 0.36),
  onThread(allThreads, small, 'node', 0.88),
  onThread(mainThread, small, 'nginx-front', 0.45),
  onThread(allThreads, small, 'nginx-front', 0.45),
  {
    ...onThread({ figure: 'perSecond', work: 'HTTPS on a thread, requests a second' }, small, 'nginx-front', 1.7),
    sense: 'at least',
  },
  onThread(mainThread, large, 'plain', 0.5),
  onThread(mainThread, large, 'node', 0.22),
  ...dropIn,
  onThread(mainThread, 'http new connection, full', 'node', 0.15),
  onThread(mainThread, 'http new connection, resumed', 'plain', 1),
  onThread(mainThread, 'http 1 MiB up', 'node', 0.4),
  http2('GET 1 KiB', 0.9),
  http2('1 MiB down', 0.6),
  http2('1 MiB up', 0.6),
  { work: 'HTTPS on the loop, CPU', figure: 'cpu', job: small, ours: 'system-tls', theirs: 'node', limit: 0.85 },
];
