// What node's JavaScript hands over to be written: strings that nobody has encoded yet among Buffers.
import type { Chunk } from '../stream/write-turns.ts';

export interface Piece {
  readonly chunk: string | Buffer;
  /** Of a string. */
  readonly encoding: BufferEncoding;
}

/** What fits into Buffer's pool: copying costs less there than handing over each piece, as http's head and body. */
const maxJoined = Buffer.poolSize >>> 2;

const lengthOf = ({ chunk, encoding }: Piece): number =>
  typeof chunk === 'string' ? Buffer.byteLength(chunk, encoding) : chunk.length;

/** `length` is at most too large: that of base64 is estimated. */
function joined(pieces: readonly Piece[], length: number): Buffer {
  const all = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { chunk, encoding } of pieces) {
    if (typeof chunk === 'string') {
      at += all.write(chunk, at, encoding);
    } else {
      all.set(chunk, at);
      at += chunk.length;
    }
  }
  return at === length ? all : all.subarray(0, at);
}

export function chunksOf(pieces: readonly Piece[]): Chunk[] {
  let length = 0;
  if (pieces.length > 1) for (const piece of pieces) length += lengthOf(piece);
  if (length > 0 && length <= maxJoined) return [{ chunk: joined(pieces, length) }];
  return pieces.map(({ chunk, encoding }) => ({
    chunk: typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk,
  }));
}
