// Native events that only inform, made into what listeners of an Ssl get.
import type { NativeSession } from '../../types/binding.d.ts';
import { makeAlert } from '../errors/errors.ts';
import { EventKind, Observe } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import type { SessionOrigin } from '../session/policy.ts';
import { makeSession, type SslSession } from '../session/session.ts';
import type { SslEvents } from './events.ts';

interface NativeMessage {
  readonly sent: boolean;
  readonly version: number;
  readonly contentType: number;
  readonly data: Buffer;
}

/** A name and the arguments for emit(). */
export type Informed = { [K in keyof SslEvents]: readonly [name: K, ...args: SslEvents[K]] }[keyof SslEvents];

/** @param originOf - what a session that is told of was made under */
export function informed(
  kind: number,
  a: number,
  b: number,
  c: number,
  originOf: (session: NativeSession) => SessionOrigin,
): Informed | undefined {
  switch (kind) {
    case EventKind.KeyUpdate:
      return ['keyUpdate', { from: a === 1 ? 'peer' : 'self', requested: b === 1 }];
    case EventKind.Renegotiated:
      return ['renegotiate', { from: b === 1 ? 'peer' : 'self', resumed: a === 1 }];
    case EventKind.Session:
      return ['session', sessionOf(binding.payload(a) as NativeSession, originOf)];
    case EventKind.Keylog:
      return ['keylog', Buffer.from(`${binding.payload(a)}\n`)];
    case EventKind.Message:
      return ['message', message(binding.payload(a) as NativeMessage)];
    case EventKind.Info:
      return ['info', { where: a, ret: b, state: String(binding.payload(c)) }];
    case EventKind.Alert:
      return ['alert', makeAlert(b, c, a === 1)];
    default:
      return undefined;
  }
}

function sessionOf(native: NativeSession, originOf: (session: NativeSession) => SessionOrigin): SslSession {
  return makeSession(native, originOf(native));
}

function message({ sent, version, contentType, data }: NativeMessage): SslEvents['message'][0] {
  return { direction: sent ? 'sent' : 'received', version, contentType, data };
}

const masks: Readonly<Record<string | symbol, number>> = {
  session: Observe.Session,
  keylog: Observe.Keylog,
  message: Observe.Message,
  info: Observe.Info,
};

/** The bit that makes native code record an event, or 0 if it always does. */
export function observeMask(name: string | symbol): number {
  return masks[name] ?? 0;
}
