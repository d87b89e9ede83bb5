// What a stream hands over to be written: Buffers, and strings that nobody has encoded yet.
import { gatheredBytes } from '../transport/dispatch.ts';
import type { Chunk } from './write-turns.ts';

export interface Piece {
  readonly chunk: string | Buffer;
  /** Of a string. */
  readonly encoding: BufferEncoding;
}

/** In no encoding are there more: two for each unit of UTF-16, three of UTF-8. */
function mostBytes({ chunk, encoding }: Piece): number {
  if (typeof chunk !== 'string') return chunk.length;
  return encoding === 'latin1' ? chunk.length : chunk.length * 3;
}

/**
 * Lays the pieces side by side into the memory of `writeGathered`: an answer of http is a string and a Buffer, which costs
 * one native call then, and no object.
 *
 * @returns how many bytes; -1: they may not fit
 */
export function gather(pieces: readonly Piece[]): number {
  let most = 0;
  for (const piece of pieces) most += mostBytes(piece);
  if (most > gatheredBytes.length) return -1;
  let at = 0;
  for (const { chunk, encoding } of pieces) {
    if (typeof chunk === 'string') {
      at += gatheredBytes.write(chunk, at, encoding);
    } else {
      gatheredBytes.set(chunk, at);
      at += chunk.length;
    }
  }
  return at;
}

export function chunksOf(pieces: readonly Piece[]): Chunk[] {
  return pieces.map(({ chunk, encoding }) => ({
    chunk: typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
  }));
}

export function bytesOf(pieces: readonly Piece[]): number {
  let bytes = 0;
  for (const { chunk, encoding } of pieces)
    bytes += typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;
  return bytes;
}
