// SYSTEM_TLS_IO_THREADS: how many threads the shared IoPool has, instead of what the load asks for.
import { invalidArgValue } from '../base/coded-error.ts';

const variable = 'SYSTEM_TLS_IO_THREADS';

/** More than any machine has use for, each with its stack and 768 KiB for its events. */
export const mostThreads = 256;

/**
 * Undefined: it is not set.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE`
 */
export function threadsByEnvironment(): number | undefined {
  const value = process.env[variable];
  if (value === undefined || value === '') return undefined;
  const threads = Number(value);
  if (/^\d+$/.test(value) && threads >= 1 && threads <= mostThreads) return threads;
  throw invalidArgValue(
    `environment variable ${variable}`,
    `must be a number of threads from 1 to ${mostThreads}, or empty`,
    value,
  );
}
