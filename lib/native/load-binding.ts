// The only file that knows node-gyp-build and process.dlopen.

import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Binding } from '../../types/binding.d.ts';
import { describeLoadFailure, type Failure } from './load-failure.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The part of node-gyp-build that decides which file fits this platform. */
interface NodeGypBuild {
  resolve(directory: string): string;
  parseTags(file: string): PrebuildTags | undefined;
  matchTags(runtime: string, abi: string): (tags: PrebuildTags | undefined) => boolean;
}

interface PrebuildTags {
  file: string;
}

const nodeGypBuild = createRequire(import.meta.url)('node-gyp-build') as NodeGypBuild;

/** OpenSSL's major version for which a prebuilt file was made: "system-tls.openssl4.glibc.node". */
function opensslMajor(file: string): number {
  return Number(/\.openssl(\d+)\./.exec(file)?.[1] ?? 0);
}

/**
 * node-gyp-build knows nothing of sonames, so files that differ in nothing else are told apart here: the newest
 * OpenSSL first, and the loader says which is installed.
 */
function prebuilds(): string[] {
  const directory = path.join(root, 'prebuilds', `${process.platform}-${process.arch}`);
  if (!existsSync(directory)) return [];
  const matches = nodeGypBuild.matchTags('node', process.versions.modules);
  return readdirSync(directory)
    .filter(file => matches(nodeGypBuild.parseTags(file)))
    .sort((a, b) => opensslMajor(b) - opensslMajor(a))
    .map(file => path.join(directory, file));
}

function localBuild(): string | undefined {
  try {
    const file = nodeGypBuild.resolve(root);
    return file.startsWith(path.join(root, 'prebuilds') + path.sep) ? undefined : file;
  } catch {
    return undefined;
  }
}

function candidates(): string[] {
  const local = localBuild();
  return local === undefined ? prebuilds() : [local];
}

/**
 * Node exports an OpenSSL of its own. RTLD_DEEPBIND puts the addon's dependencies before node's symbols; where it does
 * not exist it is not needed (macOS) or cannot be replaced (musl), and the addon's own proof decides.
 */
function open(file: string): Binding {
  const { RTLD_NOW, RTLD_DEEPBIND } = constants.dlopen as Partial<typeof constants.dlopen>;
  const module = { exports: {} };
  process.dlopen(module, file, (RTLD_NOW ?? 0) | (RTLD_DEEPBIND ?? 0));
  return module.exports as Binding;
}

function load(): Binding {
  const failures: Failure[] = [];
  for (const file of candidates()) {
    try {
      return open(file);
    } catch (error) {
      failures.push({ file, error });
    }
  }
  throw describeLoadFailure(failures, root);
}

/** The addon, loaded in isolation from node's own OpenSSL. */
export const binding: Binding = load();
