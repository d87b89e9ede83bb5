// Two connections in memory, with a hand on every byte between them.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { Bio, Ssl, SslContext, type SslContextOptions, type SslOptions } from 'system-tls';
import { certificates } from './certificates.ts';
import { patience, turn, turns, within } from './wait.ts';

/** One direction: from the BIO that one side writes to the BIO that the other reads. */
export class Wire {
  readonly from: Bio;
  readonly to: Bio;
  /** All that left the sender, as it left. */
  readonly crossed: Buffer[] = [];
  /** Bytes that may still cross; what is over stays in `from`. */
  allowance = Number.POSITIVE_INFINITY;
  /** May change, lose or add bytes on the way. */
  tamper: (data: Buffer) => Buffer = data => data;
  /** Left the sender, but the receiver was full. */
  #left: Buffer = Buffer.alloc(0);

  constructor(from: Bio, to: Bio) {
    this.from = from;
    this.to = to;
  }

  get bytes(): Buffer {
    return Buffer.concat(this.crossed);
  }

  /** Moves at most `fragment` bytes; tells how many. */
  step(fragment: number): number {
    if (this.#left.length > 0) return this.#give(this.#left);
    const most = Math.min(fragment, this.allowance, maxFragment);
    if (most === 0) return 0;
    const data = this.from.read(most);
    if (data === null || data.length === 0) return 0;
    this.allowance -= data.length;
    this.crossed.push(data);
    this.#give(this.tamper(data));
    return data.length;
  }

  #give(data: Buffer): number {
    const taken = data.length === 0 ? 0 : this.to.write(data);
    this.#left = data.subarray(taken);
    return taken;
  }
}

const maxFragment = 1 << 20;

/** Queues take any amount; a pair refuses when its buffer is full, as a socket does. */
export type Transport = 'queues' | 'pair';

function ends(transport: Transport) {
  if (transport === 'pair') {
    const [near, far] = Bio.pair({ size: 64 * 1024 });
    return { read: near, write: near, written: far, unread: far };
  }
  const [read, write] = [Bio.memory(), Bio.memory()];
  return { read, write, written: write, unread: read };
}

export const all = Number.POSITIVE_INFINITY;

export interface PumpOptions {
  /** Bytes moved at a time in each direction; everything if absent. */
  readonly fragment?: number;
}

export class MemoryPair {
  readonly client: Ssl;
  readonly server: Ssl;
  readonly toServer: Wire;
  readonly toClient: Wire;
  #flowing = false;

  constructor(client: Ssl, server: Ssl, transport: Transport = 'queues') {
    this.client = client;
    this.server = server;
    const [clientEnds, serverEnds] = [ends(transport), ends(transport)];
    client.setBio(clientEnds.read, clientEnds.write);
    server.setBio(serverEnds.read, serverEnds.write);
    this.toServer = new Wire(clientEnds.written, serverEnds.unread);
    this.toClient = new Wire(serverEnds.written, clientEnds.unread);
    live.add(this);
  }

  /** Moves bytes until both sides are silent for some turns of the loop. */
  async pump({ fragment = all }: PumpOptions = {}): Promise<void> {
    for (let silent = 0; silent < 4; silent++) {
      while (this.step(fragment) > 0) {
        silent = 0;
        await turn();
      }
      await turn();
    }
  }

  /** One fragment in each direction; tells how many bytes moved. */
  step(fragment = all): number {
    return this.toServer.step(fragment) + this.toClient.step(fragment);
  }

  /** Moves bytes in the background from now on. */
  flow({ fragment = all }: PumpOptions = {}): void {
    if (this.#flowing) throw new Error('it flows already');
    this.#flowing = true;
    const next = () => {
      if (!this.#flowing) return;
      this.step(fragment);
      setImmediate(next);
    };
    next();
  }

  hold(): void {
    this.#flowing = false;
  }

  /** Waits for `promise` while bytes flow. */
  async during<T>(
    promise: Promise<T>,
    { fragment = all, ms = patience }: PumpOptions & { ms?: number } = {},
  ): Promise<T> {
    const started = !this.#flowing;
    if (started) this.flow({ fragment });
    try {
      return await within(promise, 'a promise while bytes flow', ms);
    } finally {
      if (started) this.hold();
    }
  }

  async handshake(options: PumpOptions = {}): Promise<this> {
    await this.during(Promise.all([this.client.connect(), this.server.accept()]), options);
    // Session tickets and the like.
    await this.pump(options);
    return this;
  }

  /** The peer of a client is gone: nothing comes any more, and no close_notify came. */
  cut(): void {
    this.toServer.to.end();
    this.toClient.to.end();
  }

  close(): void {
    this.hold();
    live.delete(this);
    this.client.close();
    this.server.close();
  }
}

const live = new Set<MemoryPair>();

afterEach('closes memory pairs', async () => {
  if (live.size === 0) return;
  for (const pair of live) pair.close();
  await turns(2);
});

export interface PairOptions {
  readonly client?: SslContextOptions;
  readonly server?: SslContextOptions;
  /** For both. */
  readonly both?: SslContextOptions;
  readonly clientContext?: SslContext;
  readonly serverContext?: SslContext;
  readonly clientSsl?: Partial<SslOptions>;
  readonly serverSsl?: Partial<SslOptions>;
  readonly transport?: Transport;
}

export const tls12: SslContextOptions = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
export const tls13: SslContextOptions = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' };
/** The two versions, for tests that hold on both. */
export const versions = [
  ['TLSv1.2', tls12],
  ['TLSv1.3', tls13],
] as const;

export const noTicket: SslContextOptions = { secureOptions: constants.SSL_OP_NO_TICKET };
/** The ways in which sessions are kept: name, options of both sides, and of the server alone. */
export const resumptions = [
  ['TLSv1.2 by ticket', tls12, {}],
  ['TLSv1.2 by session id', tls12, noTicket],
  ['TLSv1.3', tls13, {}],
  ['TLSv1.3 stateful', tls13, noTicket],
] as const;

export function clientContext(options: SslContextOptions = {}): SslContext {
  return new SslContext({ ca: certificates().ca.cert, ...options });
}

export function serverContext(options: SslContextOptions = {}): SslContext {
  const { cert, key } = certificates().server;
  return new SslContext({ cert, key, ...options });
}

/** A client that trusts the server's CA and expects localhost, and that server. */
export function makePair(options: PairOptions = {}): MemoryPair {
  const forClient = options.clientContext ?? clientContext({ ...options.both, ...options.client });
  const forServer = options.serverContext ?? serverContext({ ...options.both, ...options.server });
  return new MemoryPair(
    new Ssl(forClient, { side: 'client', servername: 'localhost', ...options.clientSsl }),
    new Ssl(forServer, { side: 'server', ...options.serverSsl }),
    options.transport,
  );
}

export async function connectedPair(options: PairOptions & PumpOptions = {}): Promise<MemoryPair> {
  return makePair(options).handshake(options);
}

/** Data comes through in both directions. */
export async function stillCarries(pair: MemoryPair): Promise<void> {
  for (const [from, to] of [
    [pair.client, pair.server],
    [pair.server, pair.client],
  ] as const) {
    const read = to.read();
    await from.write(Buffer.from('still here'));
    assert.equal(String(await pair.during(read)), 'still here');
  }
}
