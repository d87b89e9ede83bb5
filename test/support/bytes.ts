// Bytes that differ from each other, and what it takes to compare many of them.
import { createHash } from 'node:crypto';

interface Readable {
  read(): Promise<Buffer | null>;
}

/** The same for the same arguments, without period that a record or a buffer could have. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let i = 0; i < length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    bytes[i] = state & 0xff;
  }
  return bytes;
}

export function sha256(data: Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

/** At least `count` bytes, fewer only if the peer said goodbye. */
export async function readAtLeast(source: Readable, count: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let total = 0;
  while (total < count) {
    const chunk = await source.read();
    if (chunk === null) break;
    total += chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** All until the peer's close_notify. */
export async function readToEnd(source: Readable): Promise<Buffer> {
  return readAtLeast(source, Number.POSITIVE_INFINITY);
}
