import { tlsError } from './coded-error.ts';

const normalized = (host: string): string => host.toLowerCase().replace(/\.$/, '');

/**
 * Resumption skips verification, so a session made with another host would let that host pass for this one. Native code
 * looks at the certificate again when the session was resumed; this says it earlier and more clearly.
 */
export function assertSessionFits(madeFor: string | null, expected: string | undefined): void {
  if (madeFor === null || expected === undefined || normalized(madeFor) === normalized(expected)) return;
  throw tlsError(
    'ERR_TLS_SESSION_HOST_MISMATCH',
    `the session was made with ${madeFor} and cannot be resumed with ${expected}: make a new one, or keep sessions by host`,
  );
}
