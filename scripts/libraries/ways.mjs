// How system-tls comes under an application, and by which sockets that is seen.

/**
 * TLS sockets whose handshake is over, of this package on the loop and on I/O threads, and of Node's own.
 * @typedef {{ ours: number, onThreads: number, nodes: number, requests: number, answers: number }} Counts
 */

/**
 * @typedef {object} Way
 * @property {string} title  of its column
 * @property {string[]} flags  of node
 * @property {Record<string, string>} env
 * @property {(counts: Counts) => boolean} carried
 */

const register = ['--require', 'system-tls/register'];

/** `node` shows that the application is right, and that the count can tell the sides apart. @satisfies {Record<string, Way>} */
export const ways = {
  node: {
    title: "Node's own",
    flags: [],
    env: {},
    carried: ({ ours, nodes }) => ours === 0 && nodes > 0,
  },
  flag: {
    title: 'flag',
    flags: register,
    env: {},
    carried: ({ ours, onThreads, nodes }) => ours > 0 && onThreads === 0 && nodes === 0,
  },
  thread: {
    title: 'flag, on an I/O thread',
    flags: register,
    env: { SYSTEM_TLS_IO_THREADS: '1' },
    carried: ({ ours, onThreads, nodes }) => ours > 0 && onThreads === ours && nodes === 0,
  },
  import: {
    title: 'import',
    flags: [],
    env: { LIBRARIES_IMPORT: '1' },
    carried: ({ ours, onThreads, nodes }) => ours > 0 && onThreads === 0 && nodes === 0,
  },
};

/** @typedef {keyof typeof ways} WayName */

export const wayNames = /** @type {WayName[]} */ (Object.keys(ways));
