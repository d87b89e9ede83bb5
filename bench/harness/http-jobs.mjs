// The jobs of HTTP: what a service spends for TLS, beside plain HTTP, node:https, and a proxy that ends TLS in front of it.

/**
 * @typedef {import('./jobs.mjs').Job} Job
 * @typedef {import('./jobs.mjs').Contestant} Contestant
 */

const kib = 1024;
const mib = 1024 * kib;

const onThread = 'system-tls-threads';
const node = { peer: 'node' };

/** @type {Contestant[]} */
const contestants = [
  { peer: 'plain', load: { plain: '1' } },
  node,
  { peer: 'system-tls' },
  { peer: onThread },
  { peer: 'system-tls', api: 'drop-in' },
  { peer: onThread, api: 'drop-in' },
  { peer: onThread, api: 'register' },
  { peer: 'bun' },
  { peer: 'nginx-front' },
  { peer: 'haproxy-front' },
];

/** node:http2 takes a TLSSocket alone, so of ours it is the drop-in. @type {Contestant[]} */
const http2Contestants = [
  node,
  { peer: 'system-tls', api: 'drop-in' },
  { peer: onThread, api: 'drop-in' },
  { peer: onThread, api: 'register' },
];

/** @param {string} name @param {Record<string, string>} load @param {number} answer  bytes @returns {Job} */
const http = (name, load, answer) => ({
  group: 'http',
  name: `http ${name}`,
  kind: 'http',
  load,
  server: { mode: 'http', size: String(answer), 'io-threads': '1' },
  contestants,
});

/** @param {number} connections @param {number} size */
const keepAlive = (connections, size) =>
  http(
    `keep-alive ${connections} x ${size / kib} KiB`,
    { mode: 'request', connections: String(connections), size: String(size) },
    size,
  );

const newConnection = { mode: 'handshake', http: '1', connections: '32' };

/** @param {string} name @param {number} answer @param {number} [upload] @returns {Job} */
const http2 = (name, answer, upload) => ({
  group: 'http2',
  name: `http2 ${name}`,
  kind: 'http',
  program: 'h2load',
  load: { clients: '4', streams: '10', ...(upload !== undefined && { upload: String(upload) }) },
  server: { mode: 'http2', size: String(answer), 'io-threads': '1' },
  contestants: http2Contestants,
});

export const httpJobs = [
  keepAlive(64, kib),
  keepAlive(1000, kib),
  keepAlive(64, 64 * kib),
  http('new connection, full', newConnection, kib),
  { ...http('new connection, resumed', { ...newConnection, resume: '1' }, kib), resumed: true },
  http('1 MiB down', { mode: 'request', connections: '8', size: String(mib) }, mib),
  http('1 MiB up', { mode: 'upload', connections: '8', size: String(mib) }, 1),
  http2('GET 1 KiB', kib),
  http2('1 MiB down', mib),
  http2('1 MiB up', 1, mib),
];
