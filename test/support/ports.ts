// Ports for servers that do not tell which one the system gave them.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';

/** The first of the ports that the system gives by itself, ip(7): what asks for none, or connects, gets none below it. */
function firstEphemeral(): number {
  try {
    return Number.parseInt(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8'), 10);
  } catch {
    return 32_768;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const socket = createSocket('udp4');
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    await once(socket.bind(port, '127.0.0.1'), 'listening');
    return true;
  } catch {
    return false;
  } finally {
    if (server.listening) await new Promise(resolve => server.close(resolve));
    await new Promise<void>(resolve => socket.close(resolve));
  }
}

/**
 * A port that nobody has on 127.0.0.1, by TCP or UDP. It is free again until the server takes it, so it is none that the system may
 * give to another test meanwhile.
 */
export async function freePort(): Promise<number> {
  const end = firstEphemeral();
  const begin = Math.min(10_000, end - 1000);
  for (;;) {
    const port = randomInt(begin, end);
    if (await isFree(port)) return port;
  }
}
