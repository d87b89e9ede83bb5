// A server whose processor time or memory the demonstration measures.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { createServer, IoPool, type TlsSocket } from 'system-tls';
import type { Identity } from '../../support/certificates.ts';
import { portOf } from '../link.ts';
import { answerParent, answerSize, type Kind, type Listening, suite, type ToServer, type Usage } from './messages.ts';

const body = Buffer.alloc(answerSize, 'x');
let requests = 0;

const answer: http.RequestListener = (_request, response) => {
  requests++;
  response.setHeader('Content-Length', body.length);
  response.end(body);
};

/** One that nobody speaks to. */
const leaveIdle = (socket: Duplex): void => {
  socket.on('error', () => undefined).resume();
};

async function listen(server: NetServer): Promise<Listening> {
  await once(server.listen(0, 'localhost'), 'listening');
  return { port: (server.address() as { port: number }).port };
}

async function listenByOurs(
  identity: Identity,
  io: IoPool | undefined,
  handle: (socket: TlsSocket) => void,
): Promise<Listening> {
  const server = createServer({ ...suite, ...identity, io, strictEnd: false }, handle);
  await server.listen({ host: 'localhost' });
  return { port: portOf(server) };
}

/** HTTP by node's own server, over our connections. */
function httpOverOurs(identity: Identity, io?: IoPool): Promise<Listening> {
  const web = http.createServer(answer);
  return listenByOurs(identity, io, socket => web.emit('connection', socket));
}

const starters: Readonly<Record<Kind, (identity: Identity) => Promise<Listening>>> = {
  http: () => listen(http.createServer(answer)),
  https: identity => listen(https.createServer({ ...suite, ...identity }, answer)),
  loop: identity => httpOverOurs(identity),
  thread: identity => httpOverOurs(identity, new IoPool({ threads: 1 })),
  'node:tls': identity => listen(tls.createServer({ ...suite, ...identity }, leaveIdle)),
  'system-tls': identity => listenByOurs(identity, undefined, leaveIdle),
};

/** Linux tells it of each thread, and later versions of node of the one that asks. */
function mainThreadTime(): number | null {
  if (process.platform === 'linux') {
    return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]);
  }
  const own = (process as { threadCpuUsage?: () => NodeJS.CpuUsage }).threadCpuUsage?.();
  return own === undefined ? null : (own.user + own.system) * 1000;
}

function usage(): Usage {
  const { user, system } = process.cpuUsage();
  return { requests, main: mainThreadTime(), all: (user + system) * 1000 };
}

answerParent<ToServer>(async message => {
  if (message.what === 'listen') return starters[message.kind](message.identity);
  if (message.what === 'usage') return usage();
  globalThis.gc?.();
  return { bytes: process.memoryUsage.rss() };
});
