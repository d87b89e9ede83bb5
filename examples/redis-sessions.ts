// One of several servers that keep their clients' sessions in one Redis: whichever of them a client comes back to resumes.
// Without Redis a client gets a full handshake, and nothing else changes.
//
//   node dist-examples/redis-sessions.js file-of-certificate file-of-key port-of-redis
import { createClient, RESP_TYPES } from '@redis/client';
import { createServer } from 'system-tls';

const [certFile = '', keyFile = '', redisPort] = process.argv.slice(2);

const redis = createClient({
  socket: { host: '127.0.0.1', port: Number(redisPort), reconnectStrategy: 100 },
  // A command fails at once while there is no Redis, instead of waiting for it.
  disableOfflineQueue: true,
});
redis.on('error', () => {});
await redis.connect();
const store = redis.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });

/** Seconds: Redis forgets a session when OpenSSL would refuse it. */
const sessionTimeout = 300;
const keyOf = (id: Buffer): string => `tls-session:${id.toString('hex')}`;

const server = createServer(
  {
    certFile,
    keyFile,
    sessionTimeout,
    // They hold the secrets of connections: a Redis that others can read needs them encrypted.
    onNewSession: (id, session) => store.set(keyOf(id), session, { expiration: { type: 'EX', value: sessionTimeout } }),
    onResumeSession: id => store.get(keyOf(id)),
    onRemoveSession: id => store.del(keyOf(id)),
  },
  socket => {
    socket.on('error', () => {});
    socket.end(`${process.pid} ${socket.ssl.version} ${socket.ssl.sessionReused ? 'resumed' : 'full'}\n`);
  },
);
server.on('tlsClientError', error => console.error(error.message));
await server.listen({ port: 0, host: '127.0.0.1' });
console.log(`listening on ${(server.address() as { port: number }).port}`);

process.once('SIGTERM', () => {
  server.close();
  redis.destroy();
});
