// TCP connections whose descriptors are there for the taking.
import { once } from 'node:events';
import net from 'node:net';

/** What node keeps to itself; -1 once it is closed. */
export const fdOf = (handle: unknown): number => (handle as { _handle: { fd: number } })._handle.fd;

const open = new Set<net.Socket>();

/** Two ends of a TCP connection that node does not read. */
export async function quietPair(): Promise<[net.Socket, net.Socket]> {
  const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const client = new net.Socket();
  client.pause();
  client.connect((listener.address() as net.AddressInfo).port, '127.0.0.1');
  const [[server]] = await Promise.all([
    once(listener, 'connection') as Promise<[net.Socket]>,
    once(client, 'connect'),
  ]);
  listener.close();
  for (const socket of [client, server]) open.add(socket.on('error', () => {}));
  return [client, server];
}

afterEach('closes the sockets of pairs', () => {
  for (const socket of open) socket.destroy();
  open.clear();
});
