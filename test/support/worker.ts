// Runs in a worker thread: does what its data says, and tells when it is in the middle of it.
import { parentPort, workerData } from 'node:worker_threads';
import { Bio, connect, createServer, IoPool, Ssl, SslContext, TicketKeyRing } from 'system-tls';
import { startAll } from './under-way.ts';

interface Order {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  readonly mode:
    | 'round-trip'
    | 'stuck-handshake'
    | 'bulk'
    | 'sockets'
    | 'renegotiation'
    | 'server'
    | 'busy-server'
    | 'all'
    | 'all-and-exit';
  /** Of a busy server. */
  readonly ticketSecret?: Uint8Array;
}

const { cert, key, ca, mode, ticketSecret } = workerData as Order;
const io = process.env.SYSTEM_TLS_TEST_IO === 'threads' ? new IoPool({ threads: 2 }) : undefined;
const tell = (what: string) => parentPort?.postMessage(what);

function pair(versions: { minVersion?: 'TLSv1.2'; maxVersion?: 'TLSv1.2' } = {}): { client: Ssl; server: Ssl } {
  const client = new Ssl(new SslContext({ ca, ...versions }), { side: 'client', servername: 'localhost' });
  const server = new Ssl(new SslContext({ cert, key, clientRenegotiation: true, ...versions }), { side: 'server' });
  const [a, b] = Bio.pair({ size: 1 << 16 });
  client.setBio(a, a);
  server.setBio(b, b);
  return { client, server };
}

async function roundTrip(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    const { client, server } = pair();
    const [chunk] = await Promise.all([server.read(), client.write(Buffer.from(`message ${i}`))]);
    if (String(chunk) !== `message ${i}`) throw new Error(`got ${chunk}`);
    client.close();
    server.close();
  }
}

async function stuckHandshake(): Promise<void> {
  const { client } = pair();
  const connecting = client.connect();
  tell('in the middle');
  await connecting;
}

async function bulk(): Promise<void> {
  const { client, server } = pair();
  await Promise.all([client.connect(), server.accept()]);
  const data = Buffer.alloc(1 << 20, 7);
  let count = 0;
  const send = async () => {
    for (;;) await client.write(data);
  };
  void send();
  for await (const chunk of server) {
    count += chunk.length;
    if (count > 4 << 20 && count < 5 << 20) tell('in the middle');
  }
}

async function renegotiation(): Promise<void> {
  const { client, server } = pair({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
  await Promise.all([client.connect(), server.accept()]);
  const renegotiated = client.renegotiate();
  tell('in the middle');
  await renegotiated;
}

async function sockets(): Promise<void> {
  const server = createServer({ cert, key, io }, socket => socket.on('error', () => {}).pipe(socket));
  await server.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.address() as { port: number };
  const socket = await connect({ port, host: '127.0.0.1', ca, io, servername: 'localhost' });
  let count = 0;
  socket.on('data', (chunk: Buffer) => {
    count += chunk.length;
    if (count > 1 << 20) tell('in the middle');
    socket.write(chunk);
  });
  socket.write(Buffer.alloc(1 << 18, 9));
  await new Promise(() => {});
}

/** Left running: the thread ends under it. */
async function server(): Promise<void> {
  const running = createServer({ cert, key, io });
  await running.listen({ port: 0, host: '127.0.0.1' });
  tell('in the middle');
  process.exit(0);
}

/** Tells its port instead, and serves until it is terminated. */
async function busyServer(): Promise<void> {
  const ticketKeys = ticketSecret && new TicketKeyRing({ secret: ticketSecret });
  const running = createServer({ cert, key, io, ticketKeys }, socket => socket.on('error', () => {}).pipe(socket));
  running.on('tlsClientError', () => {});
  await running.listen({ port: 0, host: '127.0.0.1' });
  tell(String((running.address() as { port: number }).port));
  await new Promise(() => {});
}

/** Runs until it is terminated. */
async function all(): Promise<void> {
  await startAll({ cert, key, ca }, io);
  tell('in the middle');
  await new Promise(() => {});
}

async function allAndExit(): Promise<void> {
  await startAll({ cert, key, ca }, io);
  tell('in the middle');
  process.exit(0);
}

const modes = {
  'round-trip': roundTrip,
  'stuck-handshake': stuckHandshake,
  bulk,
  renegotiation,
  sockets,
  server,
  'busy-server': busyServer,
  all,
  'all-and-exit': allAndExit,
};
await modes[mode]();
tell('done');
