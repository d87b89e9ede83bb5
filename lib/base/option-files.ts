// Options that name files. Node reads them, so that what refuses is told as fs tells it, with the option beside it.
import { readFileSync } from 'node:fs';
import type { NativeInput } from '../../types/binding.d.ts';
import { invalidArgValue, invalidSecret, tlsError } from './coded-error.ts';
import { validateString, validateText } from './validate.ts';

const advice: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  ENOTDIR: 'a part of the path is no folder',
  EACCES: 'this process may not read it',
  EISDIR: 'it is a folder; a folder of trusted certificates goes into caPath',
};

/** The system's own error, which also says which option is meant. */
export function unreadable(option: string, path: string, error: unknown): Error {
  const { code = 'UNKNOWN', errno, syscall } = error as NodeJS.ErrnoException;
  const reason = advice[code] ?? (error as Error).message;
  return Object.assign(new Error(`${option} '${path}' cannot be read: ${code}, ${reason}`, { cause: error }), {
    code,
    errno,
    syscall,
    path,
  });
}

function read(path: string, option: string): NativeInput {
  let data: Uint8Array;
  try {
    data = readFileSync(path);
  } catch (error) {
    throw unreadable(option, path, error);
  }
  const name = `${option} '${path}'`;
  if (data.length === 0) throw tlsError('ERR_TLS_INVALID_INPUT', `${name} is empty`);
  return { name, data };
}

/** Where a path or a URI is expected, which messages name: a key that lands there is not to land in them. */
export function refusePem(value: string, name: string): void {
  if (value.includes('-----BEGIN ')) {
    throw invalidSecret(
      name,
      'must say where to read from, and holds PEM: give that in the option without File or Uri',
      value,
    );
  }
}

/** One path or many, as they are. */
export function pathList(value: unknown, option: string): string[] | undefined {
  if (value === undefined || value === null) return undefined;
  const paths = Array.isArray(value) ? (value as readonly unknown[]) : [value];
  return paths.map((path, index) => {
    const at = Array.isArray(value) ? `options.${option}[${index}]` : `options.${option}`;
    validateString(path, at);
    if (path === '') throw invalidArgValue(at, 'must not be empty', path);
    refusePem(path, at);
    return validateText(path, at);
  });
}

/** The contents of one file or many. */
export function fileList(value: unknown, option: string): NativeInput[] | undefined {
  const files = pathList(value, option)?.map(path => read(path, option));
  return files === undefined || files.length === 0 ? undefined : files;
}
