// What a run comes to.

import { ways } from './ways.mjs';

/** @typedef {import('./cases.mjs').Case} Case */
/** @typedef {import('./ways.mjs').Counts} Counts */
/** @typedef {import('./ways.mjs').WayName} WayName */

/** What it says of itself when it is over. @param {string} output */
export const doneIn = output => /^done: (.*)$/m.exec(output)?.[1];

/**
 * What is wrong; undefined: nothing.
 * @param {Pick<Case, 'answersAll'>} each @param {WayName} way @param {{ end: string, output: string, seen: Counts }} run
 */
export function complaintOf({ answersAll = false }, way, { end, output, seen }) {
  if (end !== 'code 0') return end;
  if (doneIn(output) === undefined) return 'it ended before it was done';
  if (!ways[way].carried(seen)) return `the wrong sockets carried it: ${JSON.stringify(seen)}`;
  if (answersAll && (seen.requests === 0 || seen.requests !== seen.answers)) {
    return `${seen.requests} requests were begun, ${seen.answers} answered`;
  }
  return undefined;
}
