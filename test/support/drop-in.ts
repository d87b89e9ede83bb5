// Servers and clients of system-tls/tls that end with their test.
import { once } from 'node:events';
import type net from 'node:net';
import nodeTls, { type TLSSocket } from 'node:tls';
import './drop-in-threads.ts';
import tls, { type Server, sslOf, type TlsOptions } from 'system-tls/tls';
import { certificates } from './certificates.ts';
import { within } from './wait.ts';

const ending: (() => unknown)[] = [];

export const endLater = (end: () => unknown): void => void ending.push(end);

afterEach('ends what drop-ins began', async () => {
  // What was begun last stands on what was begun before it.
  for (const end of ending.splice(0).reverse()) await end();
});

export async function listening(server: net.Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  // A TLS server of which somebody hears 'connection' makes its sockets in another way.
  const arrival = server instanceof nodeTls.Server ? 'secureConnection' : 'connection';
  server.on(arrival, (socket: net.Socket) => sockets.add(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endLater(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as net.AddressInfo).port;
}

export interface DropInServer {
  readonly server: Server;
  readonly port: number;
  next(): Promise<TLSSocket>;
}

/** Of ours; it echoes. */
export async function dropInServer(options: TlsOptions = {}): Promise<DropInServer> {
  const { cert, key } = certificates().server;
  const server = tls.createServer({ cert, key, ...options }, socket => {
    socket.on('error', () => {});
    socket.on('data', data => socket.write(data));
    socket.on('end', () => socket.end());
  });
  server.on('tlsClientError', () => {});
  const port = await listening(server);
  const next = async () => (await within(once(server, 'secureConnection'), 'a connection'))[0] as TLSSocket;
  return { server, port, next };
}

export const toServer = (port: number) => ({
  port,
  host: '127.0.0.1',
  servername: 'localhost',
  ca: certificates().ca.cert,
});

/** Of whose `connect`; resolves when it is secure. */
export async function connected(socket: TLSSocket): Promise<TLSSocket> {
  endLater(() => socket.destroy());
  await within(once(socket, 'secureConnect'), 'secureConnect');
  return socket;
}

/** Sends, and gives what comes back. */
export async function echoed(socket: TLSSocket, text: string): Promise<string> {
  let back = '';
  socket.on('data', data => {
    back += String(data);
  });
  socket.write(text);
  while (back.length < text.length) await within(once(socket, 'data'), 'data');
  return back;
}

export const isOurs = (socket: TLSSocket): boolean => sslOf(socket) !== null;
