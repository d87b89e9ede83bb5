// A small choice of cases in which every pair of values that can occur together does occur.
import { axes, axisNames, type Case } from './axes.ts';
import { type Random, shuffle } from './random.ts';

/** How many cases compete for each place. More makes the choice smaller, and choosing slower. */
const candidates = 60;

const names = axisNames.flatMap(axis => axes[axis].map(value => `${axis}=${value}`));
const numbers = new Map(names.map((name, number) => [name, number]));

/** A pair of values as one number: there are many cases to look at. */
function pairsOf(each: Case): number[] {
  const values = axisNames.map(axis => numbers.get(`${axis}=${each[axis]}`) as number);
  return values.flatMap((one, at) => values.slice(at + 1).map(other => one * names.length + other));
}

const nameOf = (pair: number): string => `${names[Math.floor(pair / names.length)]} ${names[pair % names.length]}`;

/** Greedy: the case that brings most pairs that were not there yet goes next, out of some that bring at least one. */
export function allPairs(product: readonly Case[], random: Random): Case[] {
  const rest = shuffle(
    product.map(each => ({ each, pairs: pairsOf(each) })),
    random,
  );
  const missing = new Set(rest.flatMap(({ pairs }) => pairs));
  const chosen: Case[] = [];
  for (let from = 0; missing.size > 0; ) {
    let best = rest[0] as (typeof rest)[number];
    let most = 0;
    for (let tried = 0; tried < candidates || most === 0; tried++) {
      const next = rest[from++ % rest.length] as (typeof rest)[number];
      const brings = next.pairs.filter(pair => missing.has(pair)).length;
      if (brings > most) [best, most] = [next, brings];
    }
    for (const pair of best.pairs) missing.delete(pair);
    chosen.push(best.each);
  }
  return chosen;
}

/** Pairs that occur in `product` and not in `chosen`. */
export function missingPairs(product: readonly Case[], chosen: readonly Case[]): string[] {
  const missing = new Set(product.flatMap(pairsOf));
  for (const pair of chosen.flatMap(pairsOf)) missing.delete(pair);
  return [...missing].map(nameOf);
}
