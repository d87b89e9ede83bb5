const newline = 10;

/** Bytes that were read and not taken yet, in which lines are found. */
export class LineBuffer {
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes known to hold no end of a line. */
  #searched = 0;

  get size(): number {
    return this.#size;
  }

  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
  }

  /** Bytes up to and with the first end of a line; 0: there is none. Each byte is looked at once. */
  lineLength(): number {
    let start = 0;
    for (const chunk of this.#chunks) {
      const from = Math.max(0, this.#searched - start);
      const index = from < chunk.length ? chunk.indexOf(newline, from) : -1;
      if (index >= 0) return start + index + 1;
      start += chunk.length;
    }
    this.#searched = this.#size;
    return 0;
  }

  /** The first `count` bytes, or all if there are fewer. */
  take(count: number): Buffer {
    const wanted = Math.min(count, this.#size);
    const parts: Buffer[] = [];
    let missing = wanted;
    while (missing > 0) {
      const chunk = this.#chunks[0] as Buffer;
      if (chunk.length <= missing) {
        this.#chunks.shift();
        parts.push(chunk);
        missing -= chunk.length;
      } else {
        parts.push(chunk.subarray(0, missing));
        this.#chunks[0] = chunk.subarray(missing);
        missing = 0;
      }
    }
    this.#size -= wanted;
    this.#searched = Math.max(0, this.#searched - wanted);
    return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, wanted);
  }
}
