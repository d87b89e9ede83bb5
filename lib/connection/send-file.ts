// sendFile(): its arguments, checked, and its operation.
import type { FileHandle } from 'node:fs/promises';
import type { NativeFile } from '../../types/binding.d.ts';
import { invalidArgType, invalidArgValue } from '../base/coded-error.ts';
import { optionalInteger, validateInteger } from '../base/validate.ts';
import { binding } from '../native/load-binding.ts';
import type { Connection } from '../transport/native-connection.ts';
import { checkLimits, type Limits, waitFor } from './operations.ts';
import type { SendFileOptions } from './options.ts';

const maxFd = 2 ** 31 - 1;

export interface FilePart {
  readonly fd: number;
  readonly offset: number;
  /** null: to the end. */
  readonly length: number | null;
  readonly limits: Limits;
}

/** A FileHandle that was closed has the descriptor -1. */
function descriptorOf(file: FileHandle | number): number {
  if (typeof file === 'number') {
    validateInteger(file, 'file', 0, maxFd);
    return file;
  }
  const fd: unknown = typeof file === 'object' && file !== null ? file.fd : undefined;
  if (typeof fd !== 'number') throw invalidArgType('file', 'a file descriptor or a FileHandle', file);
  if (fd < 0) throw invalidArgValue('file', 'must be an open FileHandle', file);
  return fd;
}

export function checkFilePart(file: FileHandle | number, options: SendFileOptions | undefined): FilePart {
  const fd = descriptorOf(file);
  const limits = checkLimits(options);
  const offset = optionalInteger(options?.offset, 'options.offset', 0, Number.MAX_SAFE_INTEGER) ?? 0;
  const most = Number.MAX_SAFE_INTEGER - offset;
  const length = optionalInteger(options?.length, 'options.length', 0, most) ?? null;
  return { fd, offset, length, limits };
}

/**
 * A duplicate of the descriptor, made at once: the caller may close its own in the same turn, and its number may become
 * another file's. Whoever opens it closes it.
 */
export function openFile({ fd }: FilePart): NativeFile {
  return new binding.NativeFile(fd);
}

/** Takes the descriptor over. */
export function sendFilePart(connection: Connection, file: NativeFile, part: FilePart): Promise<number> {
  connection.assertUsable();
  const op = connection.nextOp();
  connection.started(connection.native.sendFile(op, file, part.offset, part.length));
  return waitFor(connection, op, 'sendFile', part.limits, sent => sent as number);
}
