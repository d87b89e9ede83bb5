// Buffers for small pieces of what was received, cut from larger ones: an ArrayBuffer costs more than what it holds.
import { markAsUntransferable } from 'node:worker_threads';

/** Node's own pool (8 KiB) takes only what is below 4 KiB, and is used up after a few records. */
const poolSize = 64 * 1024;
/** Above, a piece would keep too much of the pool from the others. */
const maxPooled = 8 * 1024;

let pool = makePool();
let used = 0;

function makePool(): Buffer {
  const made = Buffer.allocUnsafeSlow(poolSize);
  // As node's own: nobody may take away, with one piece, the memory of all others.
  markAsUntransferable(made.buffer);
  return made;
}

/** A Buffer of its own for what lies in memory that the binding uses again. */
export function copyBytes(bytes: Uint8Array, offset: number, length: number): Buffer {
  const copy = length > maxPooled ? Buffer.allocUnsafeSlow(length) : fromPool(length);
  copy.set(bytes.subarray(offset, offset + length));
  return copy;
}

function fromPool(length: number): Buffer {
  // By its present length: ArrayBuffer.prototype.transfer() heeds no mark.
  if (used + length > pool.length) {
    pool = makePool();
    used = 0;
  }
  const begin = used;
  // Aligned for those who lay a typed array over a piece.
  used = (used + length + 7) & ~7;
  return pool.subarray(begin, begin + length);
}
