// Sessions that the application keeps: a store that fails costs full handshakes, and no connection.
import type { NativeSession } from '../../types/binding.d.ts';
import { isThenable } from '../base/thenable.ts';
import { binding } from '../native/load-binding.ts';
import { reasonOf } from './answer.ts';
import type { OnResumeSession } from './options.ts';
import type { CallbackRequest } from './request.ts';

const none = 0;
/** Milliseconds that a client is kept waiting for a session: a full handshake takes less. */
const lookupTimeout = 1000;

/** Of each function the first failure alone: a store that is gone fails for every client. */
const warned = new WeakSet<object>();

function warn(call: object, name: string, what: string): void {
  if (warned.has(call)) return;
  warned.add(call);
  process.emitWarning(`${name} ${what}; further failures of this function are not reported`, {
    type: 'SystemTlsWarning',
    code: 'SYSTEM_TLS_SESSION_STORE',
  });
}

function sessionFrom(call: OnResumeSession, id: Buffer, answer: unknown): NativeSession | number {
  if (answer === undefined || answer === null) return none;
  const name = 'onResumeSession';
  if (!(answer instanceof Uint8Array)) {
    warn(call, name, 'gave what are no bytes: the handshake is full');
    return none;
  }
  try {
    const session = binding.NativeSession.from(answer);
    if (session.id.equals(id)) return session;
    warn(call, name, 'gave the session of another id: the handshake is full');
  } catch (error) {
    warn(call, name, `gave bytes that are no session (${reasonOf(error)}): the handshake is full`);
  }
  return none;
}

async function inTime(answer: PromiseLike<unknown>, late: () => void): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>(resolve => {
    timer = setTimeout(() => {
      late();
      resolve(undefined);
    }, lookupTimeout);
  });
  try {
    return await Promise.race([answer, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** The session that is kept under `id`, or 0. It never fails. */
export function lookUp(
  call: OnResumeSession,
  id: Buffer,
  asked: CallbackRequest,
): NativeSession | number | Promise<NativeSession | number> {
  const failed = (error: unknown): number => {
    warn(call, 'onResumeSession', `failed (${reasonOf(error)}): the handshake is full`);
    return none;
  };
  try {
    const answer = call(id, asked);
    if (!isThenable(answer)) return sessionFrom(call, id, answer);
    const late = () => warn(call, 'onResumeSession', `took more than ${lookupTimeout} ms: the handshake is full`);
    return inTime(answer, late).then(bytes => sessionFrom(call, id, bytes), failed);
  } catch (error) {
    return failed(error);
  }
}

/** Calls a function that only hears. */
export function tell<Args extends readonly unknown[]>(
  call: (...args: Args) => unknown,
  name: 'onNewSession' | 'onRemoveSession',
  ...args: Args
): void {
  const failed = (error: unknown): void => warn(call, name, `failed (${reasonOf(error)})`);
  try {
    const answer = call(...args);
    if (isThenable(answer)) answer.then(undefined, failed);
  } catch (error) {
    failed(error);
  }
}
