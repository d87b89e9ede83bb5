// Which cells the matrix has, and the table of what became of them.

import { releases } from './openssl-release.mjs';

/** @typedef {{ openssl: string, node: string }} Cell  versions that are asked for */
/**
 * @typedef {object} Row
 * @property {Cell} cell
 * @property {string} openssl  the version that was found
 * @property {string} node
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 * @property {string} [lacks]  why nothing ran
 */

export const nodes = ['20', '22', '24', '26'];

/** Between these lines of the page. */
export const marks = { begin: '<!-- matrix, written by: npm run matrix -- --page -->', end: '<!-- end of matrix -->' };

/**
 * The versions that are named, each a known one.
 * @param {string | undefined} named @param {string[]} known @param {string} what
 */
function chosen(named, known, what) {
  if (named === undefined) return known;
  const versions = named.split(',').map(each => each.trim());
  const wrong = versions.find(each => !known.includes(each));
  if (wrong !== undefined) throw new Error(`--${what} "${wrong}" is none of ${known.join(', ')}`);
  return known.filter(each => versions.includes(each));
}

/**
 * @param {{ openssl?: string | undefined, node?: string | undefined }} arguments_  lists with commas; all, where absent
 * @returns {Cell[]}
 */
export function cellsOf({ openssl, node }) {
  const known = Object.keys(releases).sort((a, b) => Number(a) - Number(b));
  return chosen(openssl, known, 'openssl').flatMap(version =>
    chosen(node, nodes, 'node').map(each => ({ openssl: version, node: each })),
  );
}

/** @param {Row} row */
function outcome({ passed, failed, skipped, lacks }) {
  if (lacks !== undefined) return `not run: ${lacks}`;
  return `${passed} passed${failed > 0 ? `, **${failed} failed**` : ''}, ${skipped} skipped`;
}

/**
 * A row for each OpenSSL, a column for each Node.
 * @param {Row[]} rows @param {{ date: Date, folders: string[] }} run
 */
export function tableOf(rows, { date, folders }) {
  const columns = nodes.filter(each => rows.some(({ cell }) => cell.node === each));
  const what = folders.length === 0 ? 'all tests' : `the tests of ${folders.join(', ')}`;
  const full = (/** @type {string} */ node) =>
    rows.find(({ cell, lacks }) => cell.node === node && !lacks)?.node ?? node;
  const lines = [
    `${date.toISOString().slice(0, 10)}, ${what}, Linux x64, glibc:`,
    '',
    `| | ${columns.map(each => `Node ${full(each)}`).join(' | ')} |`,
    `|${'---|'.repeat(columns.length + 1)}`,
  ];
  for (const version of new Set(rows.map(({ cell }) => cell.openssl))) {
    const own = rows.filter(({ cell }) => cell.openssl === version);
    const found = own.find(({ lacks }) => lacks === undefined)?.openssl ?? version;
    const cells = columns.map(node => own.find(({ cell }) => cell.node === node)).map(row => (row ? outcome(row) : ''));
    lines.push(`| OpenSSL ${found}, Debian ${releases[version]?.debian} | ${cells.join(' | ')} |`);
  }
  return lines.join('\n');
}
