// Running programs on an OpenSSL (and the C library it needs) from a folder, as unpacked from a distribution's packages.

import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const loaders = [
  'usr/lib64/ld-linux-x86-64.so.2',
  'lib64/ld-linux-x86-64.so.2',
  'usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2',
];

/**
 * Copies of the programs that use the libraries of `prefix`; LD_LIBRARY_PATH alone cannot do that, since a newer OpenSSL
 * needs a newer C library.
 * @param {string} prefix
 * @param {string} folder  where the copies go
 * @param {{ load: string, floor: string }} programs
 */
export function onPrefix(prefix, folder, programs) {
  const base = realpathSync(prefix);
  const loader = loaders.map(name => path.join(base, name)).find(existsSync);
  const libraries = path.join(base, 'usr/lib/x86_64-linux-gnu');
  if (loader === undefined || !existsSync(path.join(libraries, 'libssl.so.3'))) {
    throw new Error(
      '--openssl: the folder has no dynamic loader or no usr/lib/x86_64-linux-gnu/libssl.so.3 for this machine',
    );
  }
  mkdirSync(folder, { recursive: true });
  const patch = (/** @type {string} */ program) => {
    const copy = path.join(folder, path.basename(program));
    copyFileSync(program, copy);
    execFileSync('patchelf', ['--set-interpreter', loader, '--force-rpath', '--set-rpath', libraries, copy]);
    return copy;
  };
  return {
    node: patch(process.execPath),
    load: patch(programs.load),
    floor: patch(programs.floor),
    env: { ...process.env, OPENSSL_MODULES: path.join(libraries, 'ossl-modules') },
  };
}
