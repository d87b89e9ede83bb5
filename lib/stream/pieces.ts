// What a stream hands over to be written: Buffers, and strings that nobody has encoded yet.

export interface Piece {
  readonly chunk: string | Buffer;
  /** Of a string. */
  readonly encoding: BufferEncoding;
}

/** Of others Buffer.byteLength() gives an estimate, which what is no hex or base64 does not fill. */
const counted: ReadonlySet<string> = new Set(['utf8', 'utf-8', 'latin1', 'binary', 'ascii', 'ucs2', 'utf16le']);

function lengthOf({ chunk, encoding }: Piece): number {
  if (typeof chunk !== 'string') return chunk.length;
  return counted.has(encoding) ? Buffer.byteLength(chunk, encoding) : Buffer.from(chunk, encoding).length;
}

export function bytesOf(pieces: readonly Piece[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += lengthOf(piece);
  return bytes;
}
