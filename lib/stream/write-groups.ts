// How a backlog is handed to native code: what is small lies side by side, in memory that native code reads, and what is large goes
// as it is. An answer of http is a string and a Buffer, which costs one native call, and no object.
import { gatheredBytes } from '../transport/dispatch.ts';
import type { Piece } from './pieces.ts';

/** From here on gathering saves nothing. */
const aloneSize = gatheredBytes.length;

/** What native code takes at a time; a number: so many bytes that lie gathered. */
export type Group = Buffer | number;

export const lengthOf = (group: Group): number => (typeof group === 'number' ? group : group.length);

/** In no encoding are there more: two for each unit of UTF-16, three of UTF-8. */
function mostBytes({ chunk, encoding }: Piece): number {
  if (typeof chunk !== 'string') return chunk.length;
  return encoding === 'latin1' ? chunk.length : chunk.length * 3;
}

/** The groups of some pieces, one after the other: what is gathered must be handed over before the next one is made. */
export class WriteGroups {
  readonly #pieces: readonly Piece[];
  #at = 0;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#skipEmpty();
  }

  /** Whether there is another one. */
  get more(): boolean {
    return this.#at < this.#pieces.length;
  }

  /** Undefined: there is none. */
  next(): Group | undefined {
    const begin = this.#at;
    const first = this.#pieces[begin];
    if (first === undefined) return undefined;
    this.#at = this.#endOfGroup(begin);
    const group = this.#at - begin > 1 || fits(first) ? this.#gather(begin) : bufferOf(first);
    this.#skipEmpty();
    return group;
  }

  /** SSL_write takes a length of 0 for an error. */
  #skipEmpty(): void {
    while (this.#pieces[this.#at]?.chunk.length === 0) this.#at++;
  }

  /** At least one piece. */
  #endOfGroup(begin: number): number {
    let most = 0;
    let end = begin;
    for (; end < this.#pieces.length; end++) {
      most += mostBytes(this.#pieces[end] as Piece);
      if (most > aloneSize) break;
    }
    return Math.max(end, begin + 1);
  }

  #gather(begin: number): number {
    let at = 0;
    for (let i = begin; i < this.#at; i++) {
      const { chunk, encoding } = this.#pieces[i] as Piece;
      if (typeof chunk === 'string') {
        at += gatheredBytes.write(chunk, at, encoding);
      } else {
        gatheredBytes.set(chunk, at);
        at += chunk.length;
      }
    }
    return at;
  }
}

/** A string that may be written where the others lie; a Buffer alone goes as it is. */
const fits = (piece: Piece): boolean => typeof piece.chunk === 'string' && mostBytes(piece) <= aloneSize;

const bufferOf = ({ chunk, encoding }: Piece): Buffer =>
  typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk;
