// How a backlog is handed to native code: what it gathers into records it copies, so it gets a little at a time.

const groupSize = 256 * 1024;
/** From here on gathering saves nothing. */
const aloneSize = 64 * 1024;

/** In order; each is either one chunk, to be written by itself, or several small ones. Empty chunks are left out. */
export function* groupsOf(chunks: readonly { readonly chunk: Buffer }[]): Generator<readonly Buffer[], undefined> {
  let group: Buffer[] = [];
  let size = 0;
  for (const { chunk } of chunks) {
    if (chunk.length === 0) continue;
    const alone = chunk.length >= aloneSize;
    if (group.length > 0 && (alone || size + chunk.length > groupSize)) {
      yield group;
      group = [];
      size = 0;
    }
    if (alone) {
      yield [chunk];
    } else {
      group.push(chunk);
      size += chunk.length;
    }
  }
  if (group.length > 0) yield group;
}
