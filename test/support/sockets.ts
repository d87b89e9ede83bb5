// Servers and clients on loopback that end with their test.
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import {
  type ConnectOptions,
  connect,
  createServer,
  IoPool,
  type Server,
  type ServerOptions,
  type TlsSocket,
} from 'system-tls';
import { certificates } from './certificates.ts';
import { within } from './wait.ts';

/** The whole suite runs on the loop; a second time, what uses sockets runs on I/O threads. */
export const pool = process.env.SYSTEM_TLS_TEST_IO === 'threads' ? new IoPool({ threads: 2 }) : undefined;

const servers = new Set<Server>();
const sockets = new Set<TlsSocket>();

export interface Running {
  readonly server: Server;
  readonly port: number;
  /** Those that were handed out, oldest first. */
  readonly accepted: TlsSocket[];
  /** The next one that is handed out. */
  next(): Promise<TlsSocket>;
}

export async function startServer(
  options: ServerOptions = {},
  onConnection?: (socket: TlsSocket) => void,
): Promise<Running> {
  const { cert, key } = certificates().server;
  const accepted: TlsSocket[] = [];
  const arrivals: TlsSocket[] = [];
  const waiting: Array<(socket: TlsSocket) => void> = [];
  const server = createServer({ cert, key, io: pool, ...options }, socket => {
    // A peer may go at the end of a test; a test that cares listens for itself.
    socket.on('error', () => {});
    // The handshake ended after the test did: nobody else would end what the server waits for.
    if (!servers.has(server)) return void socket.destroy();
    accepted.push(socket);
    sockets.add(socket);
    onConnection?.(socket);
    const taker = waiting.shift();
    if (taker === undefined) arrivals.push(socket);
    else taker(socket);
  });
  servers.add(server);
  await server.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.address() as { port: number };
  const next = () => {
    const arrived = arrivals.shift();
    if (arrived !== undefined) return Promise.resolve(arrived);
    return within(new Promise<TlsSocket>(resolve => waiting.push(resolve)), 'a connection');
  };
  return { server, port, accepted, next };
}

export async function connectTo(port: number, options: Partial<ConnectOptions> = {}): Promise<TlsSocket> {
  const ca = certificates().ca.cert;
  const socket = await connect({ host: '127.0.0.1', port, servername: 'localhost', ca, io: pool, ...options });
  sockets.add(socket);
  socket.on('error', () => {});
  return socket;
}

/** Both ends of one connection. */
export async function socketPair(
  forServer: ServerOptions = {},
  forClient: Partial<ConnectOptions> = {},
): Promise<{ client: TlsSocket; server: TlsSocket; running: Running }> {
  const running = await startServer(forServer);
  const [client, server] = await Promise.all([connectTo(running.port, forClient), running.next()]);
  return { client, server, running };
}

/** All until the end; unlike node's own consumers it leaves the writable side alone. */
export async function collect(socket: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

afterEach('ends sockets and servers', async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  const ending = [...servers].map(server => server.close());
  servers.clear();
  await within(Promise.allSettled(ending), 'servers to close');
});
