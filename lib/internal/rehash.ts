// Names the certificates and CRLs of a folder so that OpenSSL finds them: what `openssl rehash` does.
import { copyFile, lstat, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { binding } from './load-binding.ts';
import { unreadable } from './option-files.ts';
import { optionalBoolean, validateObject, validateString, validateText } from './validate.ts';

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

/** A file that has no such name, and why. */
export interface SkippedFile {
  readonly file: string;
  readonly code:
    | 'NOT_A_FILE'
    | 'OTHER_NAME'
    | 'UNREADABLE'
    | 'NO_CERTIFICATE'
    | 'SEVERAL'
    | 'DUPLICATE'
    | 'NAME_IN_USE';
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

interface Found {
  readonly file: string;
  readonly data: Buffer;
  readonly crl: boolean;
  readonly hash: string;
  readonly fingerprint: string;
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
        this.#skip(file, 'DUPLICATE', `it is the same as ${twin}`);
        continue;
      }
      known.set(one.fingerprint, file);
      all.push(one);
    }
    return all;
  }

  async #look(file: string): Promise<Found | undefined> {
    if (!isCandidate(file)) return this.#skip(file, 'OTHER_NAME', 'its name ends in none of .pem, .crt, .cer, .crl');
    let data: Buffer;
    try {
      data = await readFile(join(this.#path, file));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'EISDIR') return this.#skip(file, 'NOT_A_FILE', 'it is a folder');
      return this.#skip(file, 'UNREADABLE', message);
    }
    const [first, ...more] = binding.hashedNames(data);
    if (first === undefined) return this.#skip(file, 'NO_CERTIFICATE', 'it holds no certificate and no CRL in PEM');
    if (more.length > 0) {
      return this.#skip(file, 'SEVERAL', `it holds ${more.length + 1} certificates or CRLs: put each into a file`);
    }
    return { file, data, ...first };
  }

  #skip(file: string, code: SkippedFile['code'], reason: string): undefined {
    this.skipped.push({ file, code, reason });
  }

  /** What stands there under hashed names: a link's target, or null for a file of its own. */
  async standing(names: readonly string[], found: readonly Found[]): Promise<Map<string, string | null>> {
    const map = new Map<string, string | null>();
    for (const name of names) map.set(name, await this.#targetOf(name, found));
    return map;
  }

  async #targetOf(name: string, found: readonly Found[]): Promise<string | null> {
    const path = join(this.#path, name);
    if ((await lstat(path)).isSymbolicLink()) return readlink(path);
    // A copy that an earlier call made.
    const content = await readFile(path).catch(() => undefined);
    const source = content === undefined ? undefined : found.find(({ data }) => data.equals(content));
    if (source === undefined) this.#skip(name, 'NAME_IN_USE', 'it is a file of its own under a hashed name, and stays');
    return source === undefined ? null : '';
  }

  /** In one step each: a process that looks meanwhile finds the old or the new one. */
  async place({ name, file }: HashedLink, copy: boolean): Promise<void> {
    const temporary = join(this.#path, `.${name}.${process.pid}.tmp`);
    await rm(temporary, { force: true });
    if (copy) await copyFile(join(this.#path, file), temporary);
    else await symlink(file, temporary);
    await rename(temporary, join(this.#path, name));
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#path, name), { force: true });
  }
}

/** Numbers those of one hash, past the names that are taken. */
function linksFor(found: readonly Found[], standing: ReadonlyMap<string, string | null>): HashedLink[] {
  const taken = new Set([...standing].filter(([, target]) => target === null).map(([name]) => name));
  return found.map(({ file, hash, crl }) => {
    let name: string;
    let number = 0;
    do name = `${hash}.${crl ? 'r' : ''}${number++}`;
    while (taken.has(name));
    taken.add(name);
    return { name, file };
  });
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
    names = (await readdir(directory)).sort();
  } catch (error) {
    throw unreadable('directory', directory, error);
  }
  const folder = new Folder(directory);
  const found = await folder.found(names.filter(name => !isHashedName(name)));
  const standing = await folder.standing(names.filter(isHashedName), found);
  const links = linksFor(found, standing);
  for (const link of links) {
    if (copy || standing.get(link.name) !== link.file) await folder.place(link, copy);
  }
  const wanted = new Set(links.map(({ name }) => name));
  const removed = [...standing].filter(([name, target]) => target !== null && !wanted.has(name)).map(([name]) => name);
  for (const name of removed) await folder.remove(name);
  return { links, skipped: folder.skipped, removed };
}
