// Three servers, which stand for three machines: two have a secret in common, so a session of one is resumed by the other.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer, type Server, type SslSession, TicketKeyRing } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const { cert, key } = authority.issueServer('localhost', ['localhost']);

/** A period of a second shows what otherwise takes hours. */
async function startMachine(secret: Uint8Array): Promise<Server> {
  const ticketKeys = new TicketKeyRing({ secret, period: 1, overlap: 60 });
  const server = createServer({ cert, key, ticketKeys }, socket => socket.write('hello'));
  await server.listen({ host: 'localhost', port: 0 });
  return server;
}

async function visit(server: Server, session?: SslSession): Promise<{ how: string; next: SslSession | undefined }> {
  const { port } = server.address() as { port: number };
  const socket = await connect({ host: 'localhost', port, ca: authority.cert, session });
  const how = socket.ssl.sessionReused ? 'resumed' : 'a full handshake';
  // The tickets of TLS 1.3 come ahead of the server's first data.
  await once(socket, 'data');
  const next = socket.ssl.session ?? undefined;
  const closed = once(socket, 'close');
  socket.end();
  await closed;
  return { how, next };
}

const secret = randomBytes(32);
const servers = await Promise.all([secret, secret, randomBytes(32)].map(startMachine));
const [one, two, stranger] = servers as [Server, Server, Server];

const first = await visit(one);
console.log(`machine 1, for the first time: ${first.how}`);
const second = await visit(two, first.next);
console.log(`machine 2, with the session of machine 1: ${second.how}`);
await sleep(1000);
const third = await visit(one, second.next);
console.log(`machine 1, with an older ticket: ${third.how}`);
const elsewhere = await visit(stranger, third.next);
console.log(`machine 3, which has another secret: ${elsewhere.how}`);

for (const server of servers) await server.close();
