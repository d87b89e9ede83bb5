// Names the certificates and CRLs of a folder so that OpenSSL finds them: what `openssl rehash` does.
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { unreadable } from '../base/option-files.ts';
import { optionalBoolean, validateObject, validateString, validateText } from '../base/validate.ts';
import { binding } from '../native/load-binding.ts';

export interface RehashOptions {
  /** Copies instead of symbolic links, for file systems that have none; default false. */
  readonly copy?: boolean | undefined;
}

/** A name that OpenSSL looks for. */
export interface HashedLink {
  /** `9d66eef0.0`, or `9d66eef0.r0` for a CRL. */
  readonly name: string;
  readonly file: string;
}

/**
 * A file that has no such name, and why. `HIDDEN`: another file or folder has the name, and OpenSSL, which cannot load
 * that, looks no further; `reason` says which.
 */
export interface SkippedFile {
  readonly file: string;
  readonly code:
    | 'NOT_A_FILE'
    | 'OTHER_NAME'
    | 'UNREADABLE'
    | 'NO_CERTIFICATE'
    | 'SEVERAL'
    | 'DUPLICATE'
    | 'NAME_IN_USE'
    | 'HIDDEN';
  readonly reason: string;
}

export interface RehashResult {
  readonly links: readonly HashedLink[];
  readonly skipped: readonly SkippedFile[];
  /** Names that stood there and lead nowhere any more. */
  readonly removed: readonly string[];
}

const hashedName = /^[0-9a-f]{8}\.r?\d+$/;
/** As `openssl rehash`: an editor's backup of a certificate is none that is to be trusted. */
const candidate = /\.(pem|crt|cer|crl)$/i;

/** Whether OpenSSL looks for such names in a folder. */
export const isHashedName = (name: string): boolean => hashedName.test(name);
export const isCandidate = (name: string): boolean => candidate.test(name);

/** What another call, or one that was killed, has not renamed yet. */
const temporaryName = /^\.[0-9a-f]{8}\.r?\d+\.[0-9a-f]{16}\.tmp$/;

/** CRLs of large authorities have some tens of megabytes. */
const longest = 256 * 1024 * 1024;

interface Found {
  readonly file: string;
  readonly data: Buffer;
  readonly mode: number;
  readonly crl: boolean;
  readonly hash: string;
  readonly fingerprint: string;
}

/** A name that a file or a folder of the user's has. OpenSSL counts on past it only if it can load it. */
interface Taken {
  readonly certificate: boolean;
  readonly crl: boolean;
}

/** A link's target, '' for a copy that an earlier call made, or what is not ours. */
type Standing = string | Taken;

interface Content {
  readonly data: Buffer;
  readonly mode: number;
}

type Unfit = Pick<SkippedFile, 'code' | 'reason'>;

function unfit(stats: Stats): Unfit | undefined {
  if (stats.isDirectory()) return { code: 'NOT_A_FILE', reason: 'it is a folder' };
  if (!stats.isFile()) return { code: 'NOT_A_FILE', reason: 'it is a pipe, a socket or a device' };
  return stats.size > longest ? { code: 'NO_CERTIFICATE', reason: `it has more than ${longest} bytes` } : undefined;
}

/**
 * What is opened is what is looked at, since the name may lead elsewhere a moment later. Opening a named pipe without
 * O_NONBLOCK waits for one who writes, in a thread of node's pool.
 */
async function contentOf(path: string): Promise<Content | Unfit> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await handle.stat();
    const problem = unfit(stats);
    if (problem !== undefined) return problem;
    const data = Buffer.alloc(stats.size);
    let length = 0;
    while (length < data.length) {
      const { bytesRead } = await handle.read(data, length, data.length - length, length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { data: data.subarray(0, length), mode: stats.mode & 0o777 };
  } finally {
    await handle.close();
  }
}

async function readContent(path: string): Promise<Content | Unfit> {
  try {
    return await contentOf(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // A socket cannot be opened.
    if (code === 'ENXIO') return { code: 'NOT_A_FILE', reason: 'it is a pipe, a socket or a device' };
    return { code: 'UNREADABLE', reason: message };
  }
}

class Folder {
  readonly #path: string;
  readonly skipped: SkippedFile[] = [];

  constructor(path: string) {
    this.#path = path;
  }

  /** Without a file whose name is of no interest; what is skipped is noted. */
  async found(files: readonly string[]): Promise<Found[]> {
    const known = new Map<string, string>();
    const all: Found[] = [];
    for (const file of files) {
      const one = await this.#look(file);
      if (one === undefined) continue;
      const twin = known.get(one.fingerprint);
      if (twin !== undefined) {
        this.skip(file, 'DUPLICATE', `it is the same as ${twin}`);
        continue;
      }
      known.set(one.fingerprint, file);
      all.push(one);
    }
    return all;
  }

  async #look(file: string): Promise<Found | undefined> {
    if (!isCandidate(file)) return this.skip(file, 'OTHER_NAME', 'its name ends in none of .pem, .crt, .cer, .crl');
    const content = await readContent(join(this.#path, file));
    if ('code' in content) return this.skip(file, content.code, content.reason);
    const [first, ...more] = binding.hashedNames(content.data);
    if (first === undefined) return this.skip(file, 'NO_CERTIFICATE', 'it holds no certificate and no CRL in PEM');
    if (more.length > 0) {
      return this.skip(file, 'SEVERAL', `it holds ${more.length + 1} certificates or CRLs: put each into a file`);
    }
    return { file, ...content, ...first };
  }

  skip(file: string, code: SkippedFile['code'], reason: string): undefined {
    this.skipped.push({ file, code, reason });
  }

  /** What stands there under hashed names. */
  async standing(names: readonly string[], found: readonly Found[]): Promise<Map<string, Standing>> {
    const map = new Map<string, Standing>();
    for (const name of names) {
      const standing = await this.#standingAt(name, found);
      if (standing !== undefined) map.set(name, standing);
    }
    return map;
  }

  async #standingAt(name: string, found: readonly Found[]): Promise<Standing | undefined> {
    const path = join(this.#path, name);
    try {
      if ((await lstat(path)).isSymbolicLink()) return await readlink(path);
    } catch (error) {
      // Another call has removed it, or put a copy in the place of a link.
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      if (code !== 'EINVAL') throw error;
    }
    const content = await readContent(path);
    if ('code' in content) {
      this.skip(name, content.code, `${content.reason}, under a hashed name, and stays`);
      return { certificate: false, crl: false };
    }
    if (found.some(({ data }) => data.equals(content.data))) return '';
    this.skip(name, 'NAME_IN_USE', 'it is a file of its own under a hashed name, and stays');
    const kinds = binding.hashedNames(content.data).map(({ crl }) => crl);
    return { certificate: kinds.includes(false), crl: kinds.includes(true) };
  }

  /** In one step each: a process that looks meanwhile finds the old or the new one. */
  async place({ name, source }: Place, copy: boolean): Promise<void> {
    const temporary = join(this.#path, `.${name}.${randomBytes(8).toString('hex')}.tmp`);
    try {
      if (copy) await write(temporary, source);
      else await symlink(source.file, temporary);
      await rename(temporary, join(this.#path, name));
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#path, name), { force: true });
  }
}

interface Place {
  readonly name: string;
  readonly source: Found;
}

async function write(path: string, { data, mode }: Content): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(data);
    await handle.chmod(mode);
  } finally {
    await handle.close();
  }
}

const isTaken = (standing: Standing | undefined): standing is Taken => typeof standing === 'object';

/**
 * Numbers those of one hash, past the names that are taken. OpenSSL counts from 0 and stops at the first name that it
 * cannot load: what is behind that would never be found, and gets none.
 */
function placesIn(folder: Folder, found: readonly Found[], standing: ReadonlyMap<string, Standing>): Place[] {
  const next = new Map<string, number>();
  const places: Place[] = [];
  for (const source of found) {
    const { file, hash, crl } = source;
    const prefix = `${hash}.${crl ? 'r' : ''}`;
    const loads = (taken: Taken) => (crl ? taken.crl : taken.certificate);
    let number = next.get(prefix) ?? 0;
    let there = standing.get(`${prefix}${number}`);
    while (isTaken(there) && loads(there)) there = standing.get(`${prefix}${++number}`);
    const name = `${prefix}${number}`;
    if (isTaken(there)) {
      next.set(prefix, number);
      const what = crl ? 'CRL' : 'certificate';
      folder.skip(file, 'HIDDEN', `OpenSSL looks no further than ${name}, which holds no ${what}: remove that`);
      continue;
    }
    next.set(prefix, number + 1);
    places.push({ name, source });
  }
  return places;
}

/** See {@link OpenSsl.rehash}. */
export async function rehash(directory: string, options: RehashOptions = {}): Promise<RehashResult> {
  validateString(directory, 'directory');
  validateText(directory, 'directory');
  validateObject(options, 'options');
  const copy = optionalBoolean(options.copy, 'options.copy', false);
  let names: string[];
  try {
    // In the same order everywhere, so that the same folder gives the same names.
    names = (await readdir(directory)).filter(name => !temporaryName.test(name)).sort();
  } catch (error) {
    throw unreadable('directory', directory, error);
  }
  const folder = new Folder(directory);
  const found = await folder.found(names.filter(name => !isHashedName(name)));
  const standing = await folder.standing(names.filter(isHashedName), found);
  const places = placesIn(folder, found, standing);
  for (const place of places) {
    if (copy || standing.get(place.name) !== place.source.file) await folder.place(place, copy);
  }
  const wanted = new Set(places.map(({ name }) => name));
  const removed = [...standing].filter(([name, at]) => !isTaken(at) && !wanted.has(name)).map(([name]) => name);
  for (const name of removed) await folder.remove(name);
  const links = places.map(({ name, source }) => ({ name, file: source.file }));
  return { links, skipped: folder.skipped, removed };
}
