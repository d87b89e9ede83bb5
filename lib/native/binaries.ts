// Which files may be the addon on this machine, in the order in which they are tried.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** A file of prebuilds/<platform>-<arch>/, by its name: system-tls.openssl3.glibc.node. */
interface Prebuilt {
  readonly file: string;
  readonly major: number;
  /** Undefined: where there is one C library. */
  readonly libc: string | undefined;
}

const pattern = /^system-tls\.openssl(\d+)(?:\.(glibc|musl))?\.node$/;

function prebuiltIn(folder: string): Prebuilt[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap(name => {
    const match = pattern.exec(name);
    return match === null ? [] : [{ file: path.join(folder, name), major: Number(match[1]), libc: match[2] }];
  });
}

/** No file of the system's says it everywhere. It takes 2 ms, so it is asked for only where it matters. */
function ownLibc(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const { report } = process;
  // The interfaces of the network, which it would list too, can take seconds.
  Object.assign(report, { excludeNetwork: true });
  const { header } = report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

function ofOwnLibc(files: readonly Prebuilt[]): readonly Prebuilt[] {
  if (new Set(files.map(({ libc }) => libc)).size < 2) return files;
  const own = ownLibc();
  return files.filter(({ libc }) => libc === undefined || libc === own);
}

/**
 * What npm installed, for the newest OpenSSL first: the loader says which is there.
 *
 * @param major - of OpenSSL; undefined: any
 */
export function prebuiltFiles(root: string, major: number | undefined): string[] {
  const files = prebuiltIn(path.join(root, 'prebuilds', `${process.platform}-${process.arch}`));
  return ofOwnLibc(files)
    .filter(each => major === undefined || each.major === major)
    .sort((a, b) => b.major - a.major)
    .map(({ file }) => file);
}

/** Of a developer. */
export function localBuilds(root: string): string[] {
  const files = ['Release', 'Debug'].map(kind => path.join(root, 'build', kind, 'system_tls.node'));
  return files.filter(file => existsSync(file)).slice(0, 1);
}
