// What the demonstration says to its servers and to its load, which are processes of their own.
import type { Identity } from '../../support/certificates.ts';

/** Servers of HTTP, and servers whose connections stay idle. */
export type HttpKind = 'http' | 'https' | 'loop' | 'thread';
export type IdleKind = 'node:tls' | 'system-tls';
export type Kind = HttpKind | IdleKind;

/** The same for all, so that they do the same work. */
export const suite = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

/** Bytes of an answer. */
export const answerSize = 1024;

export type ToServer =
  | { readonly what: 'listen'; readonly kind: Kind; readonly identity: Identity }
  | { readonly what: 'usage' }
  | { readonly what: 'collect' };

export interface Listening {
  readonly port: number;
}

export interface Usage {
  readonly requests: number;
  /** Nanoseconds of processor time; null where the system does not tell it of one thread. */
  readonly main: number | null;
  readonly all: number;
}

export interface Resident {
  readonly bytes: number;
}

export type ToLoad =
  | { readonly what: 'connect'; readonly port: number; readonly ca: string | null; readonly connections: number }
  /** On all connections that there are, until `pause`. */
  | { readonly what: 'ask' }
  | { readonly what: 'pause' };

export interface Done {
  readonly answers: number;
}

/** Answers each message of the parent by one of its own, and ends with it. */
export function answerParent<Message>(answer: (message: Message) => Promise<object>): void {
  process.on('message', message => {
    answer(message as Message).then(
      reply => process.send?.(reply),
      error => {
        console.error(error);
        process.exit(1);
      },
    );
  });
  process.on('disconnect', () => process.exit(0));
}
