// SYSTEM_TLS_IO_THREADS=N in the environment: connections live on N threads that all of the process, or of a worker, share.
import { invalidArgValue } from '../base/coded-error.ts';
import { IoPool } from '../connection/io-pool.ts';

const variable = 'SYSTEM_TLS_IO_THREADS';
/** Of IoPool. */
const most = 256;

function wanted(value: string | undefined): number | undefined {
  if (value === undefined || value === '') return undefined;
  const threads = Number(value);
  if (/^\d+$/.test(value) && threads >= 1 && threads <= most) return threads;
  throw invalidArgValue(
    `environment variable ${variable}`,
    `must be a number of threads from 1 to ${most}, or empty`,
    value,
  );
}

/** Read once: what is wrong with it is said before anything connects. */
const threads = wanted(process.env[variable]);

let pool: IoPool | undefined;

/** Undefined: connections live on the loop. */
export function sharedPool(): IoPool | undefined {
  if (threads !== undefined) pool ??= new IoPool({ threads });
  return pool;
}
