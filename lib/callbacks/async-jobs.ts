import { tlsError } from '../base/coded-error.ts';
import { openssl } from '../library/openssl.ts';

/**
 * For a function of a server's that OpenSSL has no retry for: it waits in an ASYNC job (ASYNC_start_job(3)).
 *
 * @param option - its name
 * @param cure - what to do instead
 */
export function assertJobs(option: string, cure: string): void {
  if (openssl.features.async) return;
  throw tlsError(
    'ERR_TLS_ASYNC_UNAVAILABLE',
    `a server cannot wait for "options.${option}" here: OpenSSL has no ASYNC jobs on this platform (openssl.features.async); ${cure}`,
  );
}
