// SYSTEM_TLS_OPENSSL: which OpenSSL of several a process is to use.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { loadFailure } from './load-failure.ts';

export interface AskedOpenssl {
  /** Undefined: the newest that there is. */
  readonly major: number | undefined;
  /** The libraries to use, instead of those that the loader finds. */
  readonly libraries: { readonly libcrypto: string; readonly libssl: string } | undefined;
}

const majors = [4, 3];

function refuse(value: string, cause: string): never {
  throw loadFailure(
    `system-tls does not know which OpenSSL to use: SYSTEM_TLS_OPENSSL is "${value}"`,
    cause,
    'set it to 3, to 4, or to the absolute path of a folder with libssl.so.3 or libssl.so.4; or leave it out',
  );
}

/** In the folder itself, or where an installation under it has its libraries. */
function librariesUnder(value: string): AskedOpenssl {
  if (process.platform !== 'linux') refuse(value, 'a path is for Linux');
  for (const folder of [value, path.join(value, 'lib64'), path.join(value, 'lib')]) {
    for (const major of majors) {
      const [libcrypto, libssl] = ['libcrypto', 'libssl'].map(name => path.join(folder, `${name}.so.${major}`)) as [
        string,
        string,
      ];
      if (existsSync(libssl) && existsSync(libcrypto)) {
        return { major, libraries: { libcrypto: realpathSync(libcrypto), libssl: realpathSync(libssl) } };
      }
    }
  }
  const there = existsSync(value) ? readdirSync(value).filter(name => /^lib(ssl|crypto)\./.test(name)) : undefined;
  return refuse(
    value,
    there === undefined
      ? 'there is no such folder'
      : `no libssl and libcrypto of OpenSSL 3 or 4 lie there (${there.join(', ') || 'neither of any other'})`,
  );
}

/** @throws LoadError for a value that is none */
export function askedOpenssl(): AskedOpenssl {
  const value = process.env['SYSTEM_TLS_OPENSSL'];
  if (value === undefined || value === '') return { major: undefined, libraries: undefined };
  const major = majors.find(each => String(each) === value);
  if (major !== undefined) return { major, libraries: undefined };
  return path.isAbsolute(value)
    ? librariesUnder(value)
    : refuse(value, 'it is neither a major version nor an absolute path');
}

/** Throws, if the loader took others than were asked for. */
export function assertAsked(
  { libraries }: AskedOpenssl,
  loaded: { readonly libssl: string; readonly libcrypto: string },
): void {
  if (libraries === undefined) return;
  for (const name of ['libcrypto', 'libssl'] as const) {
    if (realpathSync(loaded[name]) === libraries[name]) continue;
    throw loadFailure(
      `system-tls could not use the OpenSSL of SYSTEM_TLS_OPENSSL, "${process.env['SYSTEM_TLS_OPENSSL']}"`,
      `${loaded[name]} was loaded instead: by other code of this process before, or because ${libraries[name]} cannot be loaded`,
      'import system-tls first, and see with ldd(1) that the library finds all that it needs',
    );
  }
}
