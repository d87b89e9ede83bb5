// What the results of Node's tests come to.

import { createHash } from 'node:crypto';

/** @typedef {import('./processes.mjs').Outcome} Outcome */
/** @typedef {'passed' | 'expected' | 'flaky' | 'unexpected' | 'unexpectedly passing' | 'crashed'} Verdict */

/**
 * `decision`: this package does something else, on purpose. `internal of Node`: the test looks at what only Node's own C++ has.
 * `another OpenSSL`: it expects what the one in Node does. `not yet`: it is to pass. `flaky`: it passes at times. `when`: not on all
 * versions.
 * @typedef {{ kind: Kind, reason: string, flaky?: boolean, when?: (versions: Versions) => boolean }} Expected
 * @typedef {'decision' | 'internal of Node' | 'another OpenSSL' | 'not yet'} Kind
 */

/** `node`: 22. `builtin`, `system`: of OpenSSL, as 3.5. @typedef {{ node: number, builtin: number, system: number }} Versions */

/** As numbers, of which a minor version above 9 would be none. @param {Record<keyof Versions, string>} texts @returns {Versions} */
export const versionsFrom = ({ node, builtin, system }) => ({
  node: Number.parseInt(node.replace(/^v/, ''), 10),
  builtin: Number.parseFloat(builtin),
  system: Number.parseFloat(system),
});

/** How often what comes unexpectedly is run. */
export const attempts = 3;

/** @param {Outcome} outcome */
const isGood = ({ result }) => result === 'passed';

/**
 * Whether it shows something of TLS: what no implementation passes, or each, does not.
 * @param {Outcome} builtin @param {Outcome} throwing
 */
export const counts = (builtin, throwing) => isGood(builtin) && !isGood(throwing);

/**
 * Whether it is to be run again: what happens once may be chance.
 * @param {Outcome[]} outcomes @param {Expected | undefined} expected
 */
export function wantsMore(outcomes, expected) {
  const [first] = outcomes;
  if (first === undefined) return true;
  if (outcomes.some(({ result }) => result === 'crashed')) return false;
  return isGood(first) === (expected !== undefined) && outcomes.length < attempts;
}

/**
 * A failure that is not expected counts if it comes once; one that is expected has to come once. No crash is expected.
 * @param {Outcome[]} outcomes @param {Expected | undefined} expected
 * @returns {Verdict}
 */
export function verdictOf(outcomes, expected) {
  if (outcomes.some(({ result }) => result === 'crashed')) return 'crashed';
  const good = outcomes.filter(isGood).length;
  if (expected === undefined) return good === outcomes.length ? 'passed' : 'unexpected';
  if (good === 0) return 'expected';
  return good === outcomes.length && !expected.flaky ? 'unexpectedly passing' : 'flaky';
}

/** @param {Outcome[]} outcomes */
export const howOften = outcomes => `passes ${outcomes.filter(isGood).length} of ${outcomes.length}`;

/** An order that the seed gives. @param {readonly string[]} names @param {string} seed */
export function shuffled(names, seed) {
  const key = (/** @type {string} */ name) => createHash('sha256').update(`${seed} ${name}`).digest('hex');
  const keyed = names.map(name => /** @type {const} */ ([key(name), name]));
  return keyed.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, name]) => name);
}

/**
 * The tests with that name, which may lack "test-" and the extension.
 * @param {readonly string[]} names @param {string} wanted
 */
export const named = (names, wanted) =>
  names.filter(name => [name, name.replace(/\.m?js$/, '')].some(each => [wanted, `test-${wanted}`].includes(each)));
