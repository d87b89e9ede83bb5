// The libraries that are run, and how.

/** @typedef {import('./servers.mjs').Name} ServerName */

/**
 * @typedef {object} Case
 * @property {string} app  a file of test/libraries/apps
 * @property {string[]} packages  those that are shown to work
 * @property {string} [driver]  a file of test/libraries/drivers that starts the application
 * @property {Partial<Record<ServerName, string>>} [servers]  of Debian's, by the variable of the environment that has the port
 * @property {Record<string, [name: string, from: string]>} [programs]  of Debian's, by the variable that has the path
 * @property {boolean} [imports]  it takes a socket, an agent or a server from outside
 * @property {boolean} [extraCa]  it trusts by NODE_EXTRA_CA_CERTS
 * @property {boolean} [answersAll]  each request that its servers have begun is to be answered
 */

const SERVER_PORT = 'SERVER_PORT';

/** @type {Case[]} */
export const cases = [
  { app: 'express.mjs', packages: ['express'], imports: true, answersAll: true },
  { app: 'fastify.mjs', packages: ['fastify'], imports: true },
  { app: 'fastify-own-server.mjs', packages: ['fastify', 'undici'] },
  { app: 'http2.mjs', packages: [], imports: true },
  { app: 'fetch.mjs', packages: [], extraCa: true },
  { app: 'undici.mjs', packages: ['undici'], imports: true },
  { app: 'axios.mjs', packages: ['axios'], imports: true },
  { app: 'got.mjs', packages: ['got'], imports: true },
  { app: 'ws.mjs', packages: ['ws'], imports: true },
  { app: 'socket-io.mjs', packages: ['socket.io', 'socket.io-client'], imports: true },
  { app: 'mqtt.mjs', packages: ['mqtt', 'aedes'], imports: true },
  { app: 'nodemailer.mjs', packages: ['nodemailer', 'smtp-server'] },
  { app: 'grpc.mjs', packages: ['@grpc/grpc-js'] },
  { app: 'pg.mjs', packages: ['pg'], servers: { postgres: SERVER_PORT } },
  { app: 'ioredis.mjs', packages: ['ioredis'], servers: { redis: SERVER_PORT } },
  { app: 'redis.mjs', packages: ['redis'], servers: { redis: SERVER_PORT } },
  { app: 'mysql2.mjs', packages: ['mysql2'], servers: { mariadb: SERVER_PORT } },
  { app: 'amqplib.mjs', packages: ['amqplib'], servers: { rabbitmq: SERVER_PORT } },
  {
    app: 'application.cjs',
    packages: ['express', 'express-session', 'connect-redis', 'redis', 'pg', 'ws'],
    driver: 'load.mjs',
    servers: { postgres: 'POSTGRES_PORT', redis: 'REDIS_PORT' },
    answersAll: true,
  },
  {
    app: 'page.mjs',
    packages: ['ws'],
    driver: 'chromium.mjs',
    programs: { CHROMIUM: ['chromium', 'chromium'] },
    imports: true,
  },
];

/** Those that need npm alone. @param {Case} each */
export const needsNpmAlone = ({ servers, programs }) => servers === undefined && programs === undefined;
