// Servers and clients of DTLS on the loopback, and what can lie between them.
import { createSocket, type Socket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import {
  type ConnectDtlsOptions,
  connectDtls,
  createDtlsServer,
  type DatagramPeer,
  type DtlsServer,
  type DtlsServerOptions,
  type Ssl,
} from 'system-tls';
import { certificates } from './certificates.ts';
import { patience, within } from './wait.ts';

const servers = new Set<DtlsServer>();
const connections = new Set<Ssl>();
const sockets = new Set<Socket>();

afterEach('closes what speaks DTLS', async () => {
  for (const ssl of connections) ssl.close();
  for (const server of servers) await server[Symbol.asyncDispose]();
  for (const socket of sockets) socket.close();
  for (const set of [connections, servers, sockets]) set.clear();
});

export interface StartedDtls {
  readonly server: DtlsServer;
  readonly port: number;
  readonly accepted: Ssl[];
  /** The next connection, after its handshake. */
  next(): Promise<Ssl>;
}

export async function startDtls(
  options: DtlsServerOptions = {},
  onConnection?: (ssl: Ssl) => void,
): Promise<StartedDtls> {
  const { cert, key } = certificates().server;
  const accepted: Ssl[] = [];
  const told = new EventEmitter();
  let taken = 0;
  const server = createDtlsServer({ cert, key, ...options }, ssl => {
    accepted.push(ssl);
    onConnection?.(ssl);
    told.emit('accepted');
  });
  servers.add(server);
  await server.listen({ host: '127.0.0.1' });
  const next = async (): Promise<Ssl> => {
    const index = taken++;
    while (accepted[index] === undefined) await within(once(told, 'accepted'), 'a connection');
    return accepted[index];
  };
  return { server, port: server.address()?.port ?? 0, accepted, next };
}

export async function connectDtlsTo(port: number, options: Partial<ConnectDtlsOptions> = {}): Promise<Ssl> {
  const ssl = await connectDtls({ host: '127.0.0.1', port, ca: certificates().ca.cert, timeout: patience, ...options });
  connections.add(ssl);
  return ssl;
}

/** Sends each message back until the peer says goodbye. */
export async function echo(ssl: Ssl): Promise<void> {
  try {
    for await (const message of ssl) await ssl.write(message);
    await ssl.shutdown();
  } catch {
    // The test closed it.
  }
  ssl.close();
}

export async function udp(options: { readonly port?: number } = {}): Promise<Socket & { readonly port: number }> {
  const socket = createSocket('udp4');
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
  socket.bind({ port: options.port ?? 0, address: '127.0.0.1' });
  await once(socket, 'listening');
  return Object.assign(socket, { port: socket.address().port });
}

export type Direction = 'to server' | 'to client';

/** Passes datagrams on; `treat` gives what becomes of each: as often, and as changed, as it likes. */
export class Relay {
  /** What a client connects to. */
  port = 0;
  readonly seen: { readonly direction: Direction; readonly datagram: Buffer }[] = [];
  treat: (datagram: Buffer, direction: Direction) => readonly Buffer[] = datagram => [datagram];
  /** Of the one client. */
  client: DatagramPeer | undefined;
  #front!: Socket;
  #back!: Socket;
  #serverPort = 0;

  static async open(serverPort: number): Promise<Relay> {
    const relay = new Relay();
    const [front, back] = [await udp(), await udp()];
    relay.port = front.port;
    relay.#front = front;
    relay.#back = back;
    relay.#serverPort = serverPort;
    front.on('message', (datagram, from) => {
      relay.client = from;
      relay.#pass(datagram, 'to server');
    });
    back.on('message', datagram => relay.#pass(datagram, 'to client'));
    return relay;
  }

  #pass(datagram: Buffer, direction: Direction): void {
    this.seen.push({ direction, datagram });
    for (const each of this.treat(datagram, direction)) this.send(each, direction);
  }

  /** What was delayed may come when the test is over. */
  send(datagram: Buffer, direction: Direction): void {
    if (!sockets.has(this.#front) || !sockets.has(this.#back)) return;
    if (direction === 'to server') this.#back.send(datagram, this.#serverPort, '127.0.0.1');
    else if (this.client !== undefined) this.#front.send(datagram, this.client.port, this.client.address);
  }
}
