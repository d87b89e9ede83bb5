// What a socket tells from its first moment to its last, and what it leaves behind.
import { readdirSync } from 'node:fs';
import type { TlsSocket } from 'system-tls';
import { quietPair } from './quiet-pair.ts';

/** How many are open, of the whole process. */
export const descriptors = (): number => readdirSync('/proc/self/fd').length;

// libuv keeps a descriptor aside from its first stream on.
before('opens a first connection', async () => void (await quietPair()));

/** All that a socket has told, once it is closed. */
export interface Life {
  readonly got: Buffer;
  readonly log: readonly string[];
}

export function lifeOf(socket: TlsSocket): Promise<Life> {
  const chunks: Buffer[] = [];
  const log: string[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.on('error', error => log.push((error as NodeJS.ErrnoException).code ?? error.message));
  for (const name of ['end', 'finish'] as const) socket.on(name, () => log.push(name));
  return new Promise(resolve => socket.once('close', () => resolve({ got: Buffer.concat(chunks), log })));
}
