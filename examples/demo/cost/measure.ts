// Measures servers and their loads, each a process of its own. Contestants take turns, since machines are noisy.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Pki } from '../link.ts';
import { check } from '../report.ts';
import type { HttpKind, IdleKind, Kind, Listening, Resident, ToLoad, ToServer, Usage } from './messages.ts';
import { Helper } from './processes.ts';

export const connections = 32;
export const idleConnections = 400;
/** What is made once, for the first connections, belongs to none of them. */
const firstConnections = 50;
const warmUp = 400;
const duration = 300;
const settle = 100;

export const httpKinds: readonly HttpKind[] = ['http', 'https', 'loop', 'thread'];

/** A server and its load. */
class Pair implements Disposable {
  readonly server = new Helper<ToServer>('server');
  readonly load = new Helper<ToLoad>('load');
  readonly #pki: Pki;
  readonly #kind: Kind;
  #port = 0;

  constructor(kind: Kind, pki: Pki) {
    this.#kind = kind;
    this.#pki = pki;
  }

  async listen(): Promise<void> {
    const identity = this.#pki.server;
    this.#port = (await this.server.ask<Listening>({ what: 'listen', kind: this.#kind, identity })).port;
  }

  connect(count: number): Promise<unknown> {
    const ca = this.#kind === 'http' ? null : this.#pki.authority.cert;
    return this.load.ask({ what: 'connect', port: this.#port, ca, connections: count });
  }

  [Symbol.dispose](): void {
    this.load[Symbol.dispose]();
    this.server[Symbol.dispose]();
  }
}

/** Microseconds of processor time for a request. */
export interface Cost {
  readonly main: number;
  readonly all: number;
}

/** Where one thread cannot be told from the others, all of them count. */
function costOf(before: Usage, after: Usage, kind: Kind): Cost {
  const requests = after.requests - before.requests;
  check(requests > 0, `the server '${kind}' to answer anything`);
  const all = (after.all - before.all) / 1000 / requests;
  const main = after.main === null || before.main === null ? all : (after.main - before.main) / 1000 / requests;
  return { main, all };
}

async function ask(pair: Pair, milliseconds: number, kind: Kind): Promise<Cost> {
  await pair.load.ask({ what: 'ask' });
  const before = await pair.server.ask<Usage>({ what: 'usage' });
  await sleep(milliseconds);
  const after = await pair.server.ask<Usage>({ what: 'usage' });
  await pair.load.ask({ what: 'pause' });
  return costOf(before, after, kind);
}

export type Costs = Readonly<Record<HttpKind, Cost[]>>;

type Pairs = readonly (readonly [kind: HttpKind, pair: Pair])[];

async function takeTurns(pairs: Pairs, rounds: number, onTurn: (fraction: number) => void): Promise<Costs> {
  const costs: Costs = { http: [], https: [], loop: [], thread: [] };
  await Promise.all(pairs.map(([, pair]) => pair.listen().then(() => pair.connect(connections))));
  for (const [kind, pair] of pairs) await ask(pair, warmUp, kind);
  for (let turn = 0; turn < rounds * pairs.length; ) {
    for (const [kind, pair] of pairs) {
      costs[kind].push(await ask(pair, duration, kind));
      onTurn(++turn / (rounds * pairs.length));
    }
  }
  return costs;
}

export async function measureRequests(pki: Pki, rounds: number, onTurn: (fraction: number) => void): Promise<Costs> {
  const pairs: Pairs = httpKinds.map(kind => [kind, new Pair(kind, pki)]);
  try {
    return await takeTurns(pairs, rounds, onTurn);
  } finally {
    for (const [, pair] of pairs) pair[Symbol.dispose]();
  }
}

/** KiB of resident memory. */
export async function measureIdle(kind: IdleKind, pki: Pki): Promise<number> {
  using pair = new Pair(kind, pki);
  await pair.listen();
  const resident = async (): Promise<number> => {
    await sleep(settle);
    return (await pair.server.ask<Resident>({ what: 'collect' })).bytes;
  };
  await pair.connect(firstConnections);
  const before = await resident();
  await pair.connect(idleConnections);
  return ((await resident()) - before) / 1024 / idleConnections;
}
