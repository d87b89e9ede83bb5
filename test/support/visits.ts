// Connections that come for a session, and go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { SslSession } from 'system-tls';
import { connectTo, startServer } from './sockets.ts';

/** A server that sends back what comes. */
export const echoServer = (options: Parameters<typeof startServer>[0]) =>
  startServer(options, socket => {
    socket.on('data', data => socket.write(data));
  });

/** Connects, and waits for the server's data, ahead of which the tickets come. */
export async function visit(
  port: number,
  options: Parameters<typeof connectTo>[1] = {},
): Promise<{ readonly reused: boolean; readonly next: SslSession }> {
  let next: SslSession | undefined;
  const session = (arrived: SslSession) => {
    next = arrived;
  };
  const socket = await connectTo(port, { ...options, on: { session } });
  const reused = socket.ssl.sessionReused;
  socket.write('x');
  await once(socket, 'data');
  next ??= socket.ssl.session ?? undefined;
  assert.ok(next, 'a session');
  const closed = once(socket, 'close');
  socket.end();
  socket.resume();
  await closed;
  return { reused, next };
}
