// The only file that knows process.dlopen.

import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Binding } from '../../types/binding.d.ts';
import { type AskedOpenssl, askedOpenssl, assertAsked } from './asked-openssl.ts';
import { localBuilds, prebuiltFiles } from './binaries.ts';
import { describeLoadFailure, type Failure } from './load-failure.ts';
import { assertRuntime } from './runtime.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** A build of this machine goes before what npm installed, unless a version is asked for, which its name does not say. */
function candidates({ major, libraries }: AskedOpenssl): string[] {
  const local = major === undefined || libraries !== undefined ? localBuilds(root) : [];
  return local.length > 0 && libraries === undefined ? local : [...local, ...prebuiltFiles(root, major)];
}

/**
 * Node exports an OpenSSL of its own. RTLD_DEEPBIND puts the addon's dependencies before node's symbols; where it does
 * not exist it is not needed (macOS) or cannot be replaced (musl), and the addon's own proof decides.
 */
function open(file: string): unknown {
  const { RTLD_NOW, RTLD_DEEPBIND } = constants.dlopen as Partial<typeof constants.dlopen>;
  const module = { exports: {} };
  process.dlopen(module, file, (RTLD_NOW ?? 0) | (RTLD_DEEPBIND ?? 0));
  return module.exports;
}

/** Node wants an addon of what it opens, and lets go of what is none; OpenSSL's libraries stay (-z nodelete). */
function keepLibrary(file: string): void {
  try {
    open(file);
  } catch (error) {
    if (!/did not self-register/.test((error as Error).message)) throw error;
  }
}

interface Loaded {
  readonly binding: Binding;
  readonly file: string;
}

function load(): Loaded {
  assertRuntime();
  const asked = askedOpenssl();
  const failures: Failure[] = [];
  for (const file of candidates(asked)) {
    try {
      if (asked.libraries !== undefined)
        for (const each of [asked.libraries.libcrypto, asked.libraries.libssl]) keepLibrary(each);
      const binding = open(file) as Binding;
      assertAsked(asked, binding.opensslInfo());
      return { binding, file };
    } catch (error) {
      failures.push({ file, error });
    }
  }
  throw describeLoadFailure(failures, root, asked.major);
}

const loaded = load();

/** The addon, loaded in isolation from node's own OpenSSL. */
export const { binding } = loaded;
/** Where it is. */
export const binaryFile: string = path.resolve(loaded.file);
