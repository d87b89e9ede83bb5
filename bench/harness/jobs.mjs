// What is measured.

import { httpJobs } from './http-jobs.mjs';

/**
 * @typedef {object} Contestant
 * @property {string} peer
 * @property {string} [api]  which interface of it
 * @property {Record<string, string>} [load]  its own options of bench/native/load.c
 *
 * @typedef {'bulk' | 'echo' | 'handshake' | 'memory' | 'update' | 'http'} Kind
 *
 * @typedef {object} Job
 * @property {string} group  as `npm run bench -- GROUP` knows it
 * @property {string} name
 * @property {Kind} kind
 * @property {'h2load'} [program]  that is the load instead of bench/native/load.c
 * @property {Record<string, string>} load  options of the load
 * @property {Record<string, string>} server  options of the measured side
 * @property {boolean} [client]  the measured side connects, and the load listens
 * @property {import('./certificates.mjs').KeyKind} [key]
 * @property {boolean} [mutual]
 * @property {boolean} [resumed]
 * @property {Contestant[]} contestants
 */

/** @param {Contestant} contestant */
export const label = ({ peer, api }) => (api === undefined ? peer : `${peer} ${api}`);

/** @param {string} peer @param {string[]} apis */
const each = (peer, ...apis) => apis.map(api => ({ peer, api }));

/** Of another version of ours, with `--against`; none for others. @param {Contestant} contestant @returns {Contestant[]} */
export const beforeOf = contestant =>
  contestant.peer.startsWith(ours) ? [{ ...contestant, peer: contestant.peer.replace(ours, before) }] : [];
const ours = 'system-tls';
const before = 'before';

const c = { peer: 'c' };
const bun = { peer: 'bun' };
const nginx = { peer: 'nginx' };
/** The same on I/O threads: see system-tls.mjs. */
const onThreads = 'system-tls-threads';
const plain = [c, { peer: 'system-tls' }, { peer: 'node' }, bun];

const receivers = [
  c,
  ...each('system-tls', 'onread', 'readInto', 'lent', 'data'),
  ...each('node', 'onread', 'data'),
  bun,
];
const threadedReceivers = [...receivers, ...each(onThreads, 'onread', 'lent', 'data')];
const senders = [c, ...each('system-tls', 'write', 'ssl.write'), ...each('node', 'write'), bun];
const threadedSenders = [...senders, ...each(onThreads, 'write')];

const kib = 1024;
const sizes = [16, 64, 1024];

/** @param {number} size  KiB */
const sizeText = size => (size < 1024 ? `${size} KiB` : `${size / 1024} MiB`);

/** @returns {Job[]} */
function bulk() {
  return [1, 8].flatMap(connections =>
    sizes.flatMap(size => {
      const what = `${connections} x ${sizeText(size)}`;
      const common = { connections: String(connections), size: String(size * kib) };
      return [
        {
          group: 'bulk-receive',
          name: `bulk-receive ${what}`,
          kind: /** @type {const} */ ('bulk'),
          load: { mode: 'send', ...common },
          server: { mode: 'sink', ...common },
          client: true,
          contestants: threadedReceivers,
        },
        {
          group: 'bulk-send',
          name: `bulk-send ${what}`,
          kind: /** @type {const} */ ('bulk'),
          load: { mode: 'receive', ...common },
          server: { mode: 'source', ...common },
          contestants: threadedSenders,
        },
      ];
    }),
  );
}

/** @returns {Job[]} */
function echo() {
  return [1, 64, 1000].flatMap(connections =>
    [64, 1024].map(size => ({
      group: 'echo',
      name: `echo ${connections} x ${size === 64 ? '64 B' : '1 KiB'}`,
      kind: /** @type {const} */ ('echo'),
      load: { mode: 'echo', connections: String(connections), size: String(size) },
      server: { mode: 'echo' },
      contestants: [...plain, { peer: onThreads }],
    })),
  );
}

/** @returns {Job[]} */
function handshakes() {
  const common = {
    group: 'handshake',
    kind: /** @type {const} */ ('handshake'),
    load: { mode: 'handshake', connections: '32' },
    server: { mode: 'echo' },
    // It cannot echo, so it answers a request instead.
    contestants: [...plain, { peer: onThreads }, { ...nginx, load: { http: '1' } }],
  };
  const resume = { ...common.load, resume: '1' };
  return [
    { ...common, name: 'handshake P-256' },
    // With six accessors read in the handler of each connection.
    { ...common, name: 'accessors P-256', contestants: [onThreads, 'node'].map(peer => ({ peer, api: 'accessors' })) },
    { ...common, name: 'handshake RSA-2048', key: 'RSA-2048' },
    { ...common, name: 'handshake resumed', load: resume, resumed: true },
    { ...common, name: 'handshake mutual', mutual: true },
    // What it costs to ask a function during the handshake: it answers at once, or by a promise.
    {
      ...common,
      name: 'callbacks P-256',
      contestants: [
        { peer: 'system-tls' },
        ...each('system-tls', 'hello', 'hello later', 'certificate', 'certificate later'),
        { peer: onThreads },
        ...each(onThreads, 'hello', 'hello later', 'certificate', 'certificate later'),
      ],
    },
    // What it costs to decide about the client's certificate by a function: it answers at once, or by a promise.
    {
      ...common,
      name: 'verify mutual',
      mutual: true,
      contestants: [c, { peer: 'system-tls' }, ...each('system-tls', 'verify', 'verify later')],
    },
  ];
}

/** @returns {Job[]} */
function memory() {
  const load = { mode: 'idle', connections: '5000', size: '16384' };
  const server = { mode: 'echo', release: '1' };
  return [{ group: 'memory', name: 'memory 5000 idle', kind: 'memory', load, server, contestants: plain }];
}

/** Neither node:tls nor Bun can update keys. @returns {Job[]} */
function keyUpdates() {
  const contestants = [c, ...each('system-tls', 'ssl.write')];
  const every = { 'update-every': String(1024 * kib) };
  const size = { size: String(64 * kib) };
  return [
    {
      group: 'key-update',
      name: 'key-update alone',
      kind: 'update',
      load: { mode: 'receive' },
      server: { mode: 'update' },
      contestants,
    },
    {
      group: 'key-update',
      name: 'key-update every 1 MiB, send',
      kind: 'bulk',
      load: { mode: 'receive' },
      server: { mode: 'source', ...size, ...every },
      contestants,
    },
    {
      group: 'key-update',
      name: 'key-update every 1 MiB, receive',
      kind: 'bulk',
      load: { mode: 'send', ...size, ...every },
      server: { mode: 'sink' },
      client: true,
      contestants: [c, ...each('system-tls', 'onread', 'readInto', 'data')],
    },
  ];
}

export const jobs = [...bulk(), ...echo(), ...handshakes(), ...httpJobs, ...memory(), ...keyUpdates()];

/**
 * Those whose group or name begins with one of the words; all if there are none.
 * @param {string[]} words
 */
export function selectJobs(words) {
  if (words.length === 0) return jobs;
  return jobs.filter(({ name }) => words.some(word => name.startsWith(word)));
}
