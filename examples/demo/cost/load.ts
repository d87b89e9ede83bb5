// The load of the demonstration: connections that are kept, with one request at a time on each. It is the same for all servers: TLS by
// this package on the event loop, and TCP for plain HTTP.
import { once } from 'node:events';
import net from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'system-tls';
import { check } from '../report.ts';
import { answerParent, answerSize, type Done, suite, type ToLoad } from './messages.ts';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';

const sockets: Duplex[] = [];
let asking = false;
let answers = 0;

/** Of the first bytes of an answer: all answers of a connection are of that length. */
function lengthOf(chunk: Buffer): number {
  const head = chunk.indexOf('\r\n\r\n');
  check(chunk.toString('latin1', 0, 12) === 'HTTP/1.1 200' && head > 0, 'an answer with status 200');
  return head + 4 + answerSize;
}

function askAgain(socket: Duplex): void {
  let length = 0;
  let received = 0;
  const ask = (): void => {
    received = 0;
    socket.write(request);
  };
  socket.on('data', (chunk: Buffer) => {
    if (length === 0) length = lengthOf(chunk);
    received += chunk.length;
    if (received < length) return;
    check(received === length, 'answers of one length');
    answers++;
    if (asking) ask();
    else socket.emit('idle');
  });
  socket.on('ask', ask);
}

async function secure(port: number, ca: string): Promise<Duplex> {
  const socket = await connect({ ...suite, host: 'localhost', port, ca });
  const { version, cipher } = socket.ssl;
  check(version === suite.minVersion && cipher?.name === suite.ciphers, `${suite.ciphers}, not ${cipher?.name}`);
  return socket;
}

async function plain(port: number): Promise<Duplex> {
  const socket = net.connect({ port, host: 'localhost', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

/** Servers that have many to accept at once would refuse some. */
const together = 32;

async function open(port: number, ca: string | null, connections: number): Promise<void> {
  for (let begun = 0; begun < connections; begun += together) {
    const count = Math.min(together, connections - begun);
    const made = await Promise.all(Array.from({ length: count }, () => (ca === null ? plain(port) : secure(port, ca))));
    for (const socket of made) askAgain(socket);
    sockets.push(...made);
  }
}

/** Until every request has its answer. */
async function pause(): Promise<void> {
  asking = false;
  await Promise.all(sockets.map(socket => once(socket, 'idle')));
}

function askAll(): void {
  asking = true;
  for (const socket of sockets) socket.emit('ask');
}

answerParent<ToLoad>(async (message): Promise<Done> => {
  if (message.what === 'connect') await open(message.port, message.ca, message.connections);
  else if (message.what === 'ask') askAll();
  else await pause();
  return { answers };
});
