// Sessions between two connections in memory.
import assert from 'node:assert/strict';
import { hkdfSync } from 'node:crypto';
import type { SslContext, SslSession } from 'system-tls';
import { type MemoryPair, makePair } from './memory-pair.ts';

export interface Contexts {
  readonly clientContext: SslContext;
  readonly serverContext: SslContext;
}

/** The newest session of a client: with TLS 1.3 it comes ahead of the server's first data. */
export async function sessionOf(pair: MemoryPair, talk: () => Promise<unknown>): Promise<SslSession> {
  let arrived: SslSession | undefined;
  pair.client.on('session', session => {
    arrived = session;
  });
  await talk();
  const read = pair.client.read();
  await pair.server.write(Buffer.from('x'));
  await pair.during(read);
  const session = arrived ?? pair.client.session;
  assert.ok(session, 'a session');
  return session;
}

/** Connects once and gives the session that the client then holds. */
export async function first(contexts: Contexts, end: 'politely' | 'abruptly' = 'politely'): Promise<SslSession> {
  const pair = makePair(contexts);
  const session = await sessionOf(pair, () => pair.handshake());
  // A connection that is freed before it said goodbye takes its session out of the server's cache.
  if (end === 'politely') await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
  pair.close();
  return session;
}

export async function resume(contexts: Contexts, session: SslSession, options = {}): Promise<MemoryPair> {
  const pair = makePair({ ...contexts, ...options });
  pair.client.setSession(session);
  return pair.handshake();
}

/** Connects with a session: whether it was resumed, and the session that the client holds afterwards. */
export async function resumeOnce(
  contexts: Contexts,
  session: SslSession,
): Promise<{ readonly reused: boolean; readonly next: SslSession }> {
  const pair = makePair(contexts);
  pair.client.setSession(session);
  const next = await sessionOf(pair, () => pair.handshake());
  const reused = pair.server.sessionReused;
  assert.equal(pair.client.sessionReused, reused);
  assert.equal(pair.client.verifyResult.code, 0);
  pair.close();
  return { reused, next };
}

/** Of a context without a ring. */
export function fixedKeys(context: SslContext): Buffer {
  const { ticketKeys } = context;
  assert.ok(Buffer.isBuffer(ticketKeys));
  return ticketKeys;
}

/** Whether the ticket of a session begins with the name of this key, its first 16 bytes. */
export const isOfKey = (session: SslSession, key: Buffer): boolean =>
  session.hasTicket && session.serialize().includes(key.subarray(0, 16));

/** The number of the period of this moment. */
export const periodNow = (period: number): number => Math.floor(Date.now() / 1000 / period);

/** What docs/guide/sessions-of-a-fleet.md says of the keys of a TicketKeyRing. */
export function derivedKeys(secret: Uint8Array, period: number, number: number): Buffer {
  const numbers = Buffer.alloc(16);
  numbers.writeBigUInt64BE(BigInt(period), 0);
  numbers.writeBigUInt64BE(BigInt(number), 8);
  const info = Buffer.concat([Buffer.from('system-tls ticket key ring'), numbers]);
  return Buffer.from(hkdfSync('sha256', secret, '', info, 80));
}
