/** @param {number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * @typedef {{ median: number, min: number, max: number }} Spread
 * @param {number[]} values
 * @returns {Spread}
 */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * Of what was measured in the same round: what disturbs the machine disturbs both.
 * @param {number[]} ours
 * @param {number[]} theirs
 */
export function ratios(ours, theirs) {
  return spread(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}
