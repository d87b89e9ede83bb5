import type { Readable } from 'node:stream';
import type { SslEvents } from '../connection/events.ts';

/** Events of a TlsSocket: those of a stream, and some of its connection. */
export interface TlsSocketEvents extends Pick<SslEvents, 'keyUpdate' | 'renegotiate' | 'session' | 'keylog'> {
  // biome-ignore lint/suspicious/noExplicitAny: a Buffer, but for setEncoding(), as in node's own types
  data: [chunk: any];
  error: [error: Error];
  end: [];
  finish: [];
  close: [];
  drain: [];
  pause: [];
  readable: [];
  resume: [];
  pipe: [source: Readable];
  unpipe: [source: Readable];
  /** No byte moved for the time given to `setTimeout()`. */
  timeout: [];
}

export interface AddListener<Self> {
  <K extends keyof TlsSocketEvents>(name: K, listener: (...args: TlsSocketEvents[K]) => void): Self;
  // biome-ignore lint/suspicious/noExplicitAny: events of the user's own, as in node's types
  (name: string | symbol, listener: (...args: any[]) => void): Self;
}
