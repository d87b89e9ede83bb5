// The same endings thousands of times in one process: nothing may be left of them, neither descriptors nor memory.
import { readdirSync } from 'node:fs';
import type { IoPool } from 'system-tls';
import { settled } from '../support/wait.ts';
import { type Case, everyCase, lineOf } from './axes.ts';
import { type Random, shuffle } from './random.ts';
import { type CaseOptions, runCase } from './run-case.ts';

export interface SoakOptions extends CaseOptions {
  readonly pool: IoPool;
  readonly connections: number;
  /** Where ours lives. */
  readonly on: 'loop' | 'thread';
  readonly concurrency: number;
  readonly random: Random;
}

/** Connections between two looks at the process, at which no connection is open, at the most. */
const longestRound = 250;
/** Descriptors of the first round are the measure for the others. */
const fewestRounds = 3;
/** Resident bytes that the last quarter may have more than the second, in the median. */
export const growth = 8 << 20;

export interface SoakResult {
  readonly failures: string[];
  readonly connections: number;
  /** Medians of resident bytes, of the second quarter and of the last. */
  readonly resident: readonly [early: number, late: number];
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] as number;
}

/** Large transfers would only take time. */
function casesFor(on: 'loop' | 'thread', random: Random): Case[] {
  const place = on === 'loop' ? 'loop' : 'io';
  return shuffle(
    [...everyCase()].filter(each => each.on === place && each.at !== 'bulk'),
    random,
  );
}

/** What a program has in memory when it has collected its garbage. */
async function residentBytes(): Promise<number> {
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc?.();
    await new Promise(setImmediate);
  }
  return process.memoryUsage.rss();
}

/**
 * Every ending in turn, until there were so many connections. The first quarter warms up: it is not compared.
 * The peers are this package's too: a TLSSocket of node that is destroyed in its handshake stays in memory.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  if (globalThis.gc === undefined) throw new Error('the soak needs node --expose-gc');
  const round = Math.min(longestRound, Math.ceil(options.connections / fewestRounds));
  const failures: string[] = [];
  const cases = casesFor(options.on, options.random);
  const samples: number[] = [];
  let base = 0;
  let made = 0;
  while (made < options.connections) {
    const batch = Array.from({ length: round }, (_, at) => cases[(made + at) % cases.length] as Case);
    failures.push(...(await runBatch(batch, options)));
    made += round;
    const open = await settled(descriptors, 'descriptors');
    if (base === 0) base = open;
    if (open > base)
      failures.push(`after ${made} connections ${open} descriptors are open, after the first ${round} it was ${base}`);
    samples.push(await residentBytes());
    if (made % 2500 === 0)
      console.log(`  ${made} connections: ${open} descriptors, ${(samples.at(-1) as number) >> 20} MiB`);
    if (failures.length > 20) break;
  }
  const resident = residentQuarters(samples);
  if (resident[1] - resident[0] > growth) {
    failures.push(
      `resident memory grew from ${resident[0]} to ${resident[1]} bytes between the second quarter and the last`,
    );
  }
  return { failures, connections: made, resident };
}

/** Too few measurements for quarters show nothing. */
function residentQuarters(samples: readonly number[]): readonly [early: number, late: number] {
  const quarter = samples.length >> 2;
  if (quarter === 0) return [median(samples), median(samples)];
  return [median(samples.slice(quarter, 2 * quarter)), median(samples.slice(-quarter))];
}

async function runBatch(batch: readonly Case[], options: SoakOptions): Promise<string[]> {
  const failures: string[] = [];
  const rest = batch.values();
  await Promise.all(
    Array.from({ length: options.concurrency }, async () => {
      for (const each of rest) {
        const { findings } = await runCase(each, { ...options, ownPeer: true });
        if (findings.length > 0) failures.push(`--case '${lineOf(each)}': ${findings.join('; ')}`);
      }
    }),
  );
  return failures;
}
