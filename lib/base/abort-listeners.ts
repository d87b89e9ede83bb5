// One listener on each AbortSignal, however many operations wait for it: many are no leak, and node would warn of one.
import { withResolvers } from './with-resolvers.ts';

interface Listeners {
  readonly callbacks: Set<() => void>;
  readonly listener: () => void;
}

const known = new WeakMap<AbortSignal, Listeners>();

function listen(signal: AbortSignal): Listeners {
  const callbacks = new Set<() => void>();
  const listener = (): void => {
    known.delete(signal);
    for (const callback of [...callbacks]) callback();
  };
  signal.addEventListener('abort', listener, { once: true });
  return { callbacks, listener };
}

/**
 * Calls back when `signal` is aborted, unless it was already.
 *
 * @returns takes the callback away again
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  const listeners = known.get(signal) ?? listen(signal);
  known.set(signal, listeners);
  // A function of its own, so that the same callback may be given twice.
  const own = (): void => callback();
  listeners.callbacks.add(own);
  return () => {
    const { callbacks, listener } = listeners;
    if (!callbacks.delete(own) || callbacks.size > 0 || known.get(signal) !== listeners) return;
    known.delete(signal);
    signal.removeEventListener('abort', listener);
  };
}

/** Rejects with its reason as soon as `signal` is aborted: for what nobody can stop. */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = withResolvers<never>();
  const give = (): void => aborted.reject(signal.reason);
  if (signal.aborted) give();
  const detach = onAbort(signal, give);
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    detach();
  }
}
