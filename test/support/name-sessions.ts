// A session of one server name, offered under another: clients of this package refuse to, so it is done by node:tls.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import tls from 'node:tls';
import type { Running } from './sockets.ts';
import { within } from './wait.ts';

async function connected(
  port: number,
  servername: string,
  session?: Buffer,
): Promise<{ session: Buffer; reused: boolean }> {
  const socket = tls.connect({ port, host: '127.0.0.1', servername, session, rejectUnauthorized: false });
  socket.resume();
  const given = once(socket, 'session') as Promise<[Buffer]>;
  given.catch(() => {});
  await within(once(socket, 'secureConnect'), 'the handshake');
  const reused = socket.isSessionReused();
  const [next] = reused ? [session ?? Buffer.alloc(0)] : await within(given, 'a session');
  socket.destroy();
  return { session: next, reused };
}

/** The server resumes a session under the name that it was made with, and under no other. */
export async function resumesNoOtherName({ port }: Running): Promise<void> {
  const { session } = await connected(port, 'a.example');
  assert.equal((await connected(port, 'a.example', session)).reused, true);
  // Clients of OpenSSL 3.5 offer it under no other spelling.
  const [major = 0, minor = 0] = process.versions.openssl.split('.').map(Number);
  const comparesBytes = major > 3 || minor >= 5;
  assert.equal((await connected(port, 'A.example', session)).reused, !comparesBytes);
  assert.equal((await connected(port, 'b.example', session)).reused, false);
}
