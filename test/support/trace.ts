// What a connection said about itself: messages, secrets and events in the order of their coming.
import type { Ssl } from 'system-tls';

const handshakeRecord = 22;

export const handshakeType = {
  helloRequest: 0,
  clientHello: 1,
  serverHello: 2,
  newSessionTicket: 4,
  certificate: 11,
  certificateRequest: 13,
  finished: 20,
  keyUpdate: 24,
} as const;

export interface TracedMessage {
  readonly sent: boolean;
  readonly type: number;
  readonly data: Buffer;
}

export interface Trace {
  /** Handshake messages only. */
  readonly messages: TracedMessage[];
  /** Lines of the key log. */
  readonly secrets: string[];
  readonly events: string[];
  count(sent: boolean, type: number): number;
  /** Values of the secrets with that label, oldest first. */
  secretsOf(label: RegExp): string[];
}

export function trace(ssl: Ssl): Trace {
  const messages: TracedMessage[] = [];
  const secrets: string[] = [];
  const events: string[] = [];
  ssl.on('message', message => {
    if (message.contentType !== handshakeRecord || message.data.length === 0) return;
    messages.push({ sent: message.direction === 'sent', type: message.data[0] ?? -1, data: Buffer.from(message.data) });
  });
  ssl.on('keylog', line => secrets.push(String(line).trim()));
  ssl.on('keyUpdate', ({ from, requested }) => events.push(`keyUpdate ${from}${requested ? ' requested' : ''}`));
  ssl.on('renegotiate', () => events.push('renegotiate'));
  ssl.on('close', () => events.push('close'));
  return {
    messages,
    secrets,
    events,
    count: (sent, type) => messages.filter(message => message.sent === sent && message.type === type).length,
    secretsOf: label =>
      secrets.map(line => line.split(' ')).flatMap(([name, , value]) => (label.test(name ?? '') ? [value ?? ''] : [])),
  };
}
