import { handshakeTimeoutError } from '../base/deadline.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';

/** Milliseconds after which a peer that does not finish its handshake is given up, on both sides. */
export const defaultHandshakeTimeout = 120_000;

/** A handshake whose timeout has its own code. */
export async function performHandshake(ssl: Ssl, timeout: number | undefined, signal?: AbortSignal): Promise<void> {
  const { description } = connectionOf(ssl);
  try {
    await ssl.handshake({ timeout: timeout ?? Number.POSITIVE_INFINITY, signal });
  } catch (error) {
    if (timeout !== undefined && (error as NodeJS.ErrnoException).code === 'ERR_TLS_TIMEOUT') {
      throw handshakeTimeoutError(description, timeout, error);
    }
    throw error;
  }
}
