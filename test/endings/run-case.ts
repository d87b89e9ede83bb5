// Runs a case within its bound, checks it, and compares it with what node:tls does in the same place.
import type { IoPool } from 'system-tls';
import { within } from '../support/wait.ts';
import { type Case, isSensible, lineOf } from './axes.ts';
import { findingsOf } from './checks.ts';
import { Play } from './play.ts';

export interface Verdict {
  readonly each: Case;
  readonly findings: readonly string[];
  readonly delivered: number;
  readonly expected: number;
  readonly milliseconds: number;
}

export interface CaseOptions {
  readonly pool: IoPool;
  readonly seed: number;
  /** The peer's TLS is this package's too; by default node's, where it can do it. */
  readonly ownPeer?: boolean;
  /** Milliseconds that a case has. What goes on without end is found only so. */
  readonly patience: number;
}

export async function runCase(each: Case, options: CaseOptions): Promise<Verdict> {
  const play = new Play(each, options.pool, options.seed, options.ownPeer);
  const start = performance.now();
  const findings: string[] = [];
  try {
    await within(play.run(), 'the end of the case', options.patience);
    findings.push(...findingsOf(play));
  } catch (error) {
    findings.push(`${(error as Error).message}; it waits for ${play.waitsFor}; ${stateOf(play)}`);
    play.giveUp();
  }
  return {
    each,
    findings,
    delivered: play.ledger.length,
    expected: play.expected.length,
    milliseconds: performance.now() - start,
  };
}

function stateOf({ ledger, expected }: Play): string {
  const events = [...ledger.events].map(([name, count]) => `${count} x '${name}'`).join(', ');
  const pending = ledger.pending.join(', ');
  return `${ledger.length} of ${expected.length} bytes, events: ${events || 'none'}, pending: ${pending || 'nothing'}`;
}

/** node:tls in the place of ours, once for each situation. */
export class Oracle {
  readonly #options: CaseOptions;
  readonly #verdicts = new Map<string, Promise<Verdict>>();

  constructor(options: CaseOptions) {
    this.#options = options;
  }

  get asked(): number {
    return this.#verdicts.size;
  }

  /** Situations in which node:tls did not deliver all. */
  async shortcomings(): Promise<number> {
    const verdicts = await Promise.all(this.#verdicts.values());
    return verdicts.filter(({ delivered, expected }) => delivered < expected).length;
  }

  /** Undefined where node:tls has no such feature. */
  async verdictOn(each: Case): Promise<Verdict | undefined> {
    // A BIO pair and a Duplex have other ends than a socket.
    if (each.on === 'pair' || each.on === 'duplex') return undefined;
    const api = each.api === 'read' || each.api === 'readInto' || each.api === 'onread' ? 'data' : each.api;
    const asked: Case = { ...each, on: 'node', api };
    if (!isSensible(asked)) return undefined;
    const line = lineOf(asked);
    const known = this.#verdicts.get(line) ?? runCase(asked, this.#options);
    this.#verdicts.set(line, known);
    return known;
  }
}

export async function judge(each: Case, options: CaseOptions, oracle: Oracle): Promise<Verdict> {
  const [verdict, reference] = await Promise.all([runCase(each, options), oracle.verdictOn(each)]);
  if (reference === undefined || verdict.delivered >= reference.delivered) return verdict;
  const finding = `${verdict.delivered} bytes were delivered, and node:tls delivers ${reference.delivered}`;
  return { ...verdict, findings: [...verdict.findings, finding] };
}
