// A small choice of cases in which every pair of values that can occur together does occur.
import { axisNames, type Case } from './axes.ts';
import { type Random, shuffle } from './random.ts';

/** How many cases compete for each place. More makes the choice smaller, and choosing slower. */
const candidates = 60;

function pairsOf(each: Case): string[] {
  const values = axisNames.map(axis => `${axis}=${each[axis]}`);
  return values.flatMap((one, at) => values.slice(at + 1).map(other => `${one} ${other}`));
}

/** Greedy: the case that brings most pairs that were not there yet goes next, out of some that bring at least one. */
export function allPairs(product: readonly Case[], random: Random): Case[] {
  const rest = shuffle([...product], random);
  const missing = new Set(rest.flatMap(pairsOf));
  const gain = (each: Case): number => pairsOf(each).filter(pair => missing.has(pair)).length;
  const chosen: Case[] = [];
  for (let from = 0; missing.size > 0; ) {
    let best: Case | undefined;
    let most = 0;
    for (let tried = 0; tried < candidates || best === undefined; tried++) {
      const each = rest[from++ % rest.length] as Case;
      const brings = gain(each);
      if (brings > most) [best, most] = [each, brings];
    }
    for (const pair of pairsOf(best)) missing.delete(pair);
    chosen.push(best);
  }
  return chosen;
}

/** Pairs that occur in `product` and not in `chosen`. */
export function missingPairs(product: Iterable<Case>, chosen: readonly Case[]): string[] {
  const there = new Set(chosen.flatMap(pairsOf));
  const missing = new Set<string>();
  for (const each of product) for (const pair of pairsOf(each)) if (!there.has(pair)) missing.add(pair);
  return [...missing];
}
