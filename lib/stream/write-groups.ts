// How a backlog is handed to native code: what it gathers into records it copies, so it gets a little at a time.

const groupSize = 256 * 1024;
/** From here on gathering saves nothing. */
const aloneSize = 64 * 1024;

/** What native code takes at a time; a number: so many bytes that lie gathered. */
export type Group = Buffer | readonly Buffer[] | number;

/** In order; each is either one chunk, to be written by itself, or several small ones. Empty chunks are left out. */
export function groupsOf(chunks: readonly { readonly chunk: Buffer }[]): Group[] {
  const groups: Group[] = [];
  let open: Buffer[] = [];
  let size = 0;
  for (const { chunk } of chunks) {
    if (chunk.length === 0) continue;
    const alone = chunk.length >= aloneSize;
    if (alone || size + chunk.length > groupSize) {
      open = [];
      size = 0;
    }
    if (alone) {
      groups.push(chunk);
      continue;
    }
    if (open.push(chunk) === 1) groups.push(open);
    size += chunk.length;
  }
  return groups;
}

export function lengthOf(group: Group): number {
  if (typeof group === 'number') return group;
  if (group instanceof Uint8Array) return group.length;
  let length = 0;
  for (const chunk of group) length += chunk.length;
  return length;
}
