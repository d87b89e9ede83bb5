// Waiting on a Bio, whose own calls give what is there now.

import { onAbort } from '../base/abort-listeners.ts';
import { abortError, closedError, tlsError } from '../base/coded-error.ts';
import { type Bio, memoryContent } from '../transport/bio.ts';

/** Emits `name`, is closed, or the signal is aborted: whichever comes first. */
function change(bio: Bio, name: 'readable' | 'drain', signal: AbortSignal): Promise<void> {
  const { closing } = memoryContent(bio);
  return new Promise((resolve, reject) => {
    const settle = (error?: Error): void => {
      bio.off(name, happened);
      closing.delete(closed);
      detach();
      if (error === undefined) resolve();
      else reject(error);
    };
    const happened = (): void => settle();
    const closed = (): void => settle(closedError('the Bio'));
    const detach = onAbort(signal, () => settle(abortError(signal)));
    bio.on(name, happened);
    closing.add(closed);
    if (signal.aborted) settle(abortError(signal));
  });
}

/** Some bytes, at most `max`; null at the end. A stream that failed is told from one that ended. */
export async function readBio(bio: Bio, max: number, signal: AbortSignal): Promise<Buffer | null> {
  for (;;) {
    const { duplex } = memoryContent(bio);
    const chunk = bio.read(max);
    if (chunk !== null && chunk.length > 0) return chunk;
    if (chunk !== null) {
      if (duplex?.error != null) throw duplex.error;
      return null;
    }
    await change(bio, 'readable', signal);
  }
}

/** Resolves when everything was taken. What was taken of it cannot be taken back: an abort then closes the Bio. */
export async function writeBio(bio: Bio, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  let rest = bytes;
  while (rest.length > 0) {
    const { native, duplex } = memoryContent(bio);
    if (native.unread) throw duplex?.error ?? tlsError('ERR_TLS_CLOSED', 'the other end of the Bio is closed');
    rest = rest.subarray(bio.write(rest));
    if (rest.length === 0) return;
    try {
      await change(bio, 'drain', signal);
    } catch (error) {
      if (rest.length < bytes.length) bio.close();
      throw error;
    }
  }
}
