// docs/reliability.md: a table with a row for each step of `npm run check:full`, which the script rewrites row by row. The rest of
// the page is written by hand.

/** @typedef {import('./full-steps.mjs').Step} Step */
/** @typedef {{ figure: string, seconds: number, commit: string, date: string }} Result */

const head = ['| step | shows | result | took | commit | date |', '|---|---|---|---|---|---|'];

/** @param {number} seconds */
function duration(seconds) {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${Math.floor(seconds % 60)} s` : `${Math.floor(seconds)} s`;
}

/** @param {Step} step @param {string} cells  what follows, from the result on */
const row = ({ name, shows }, cells) => `| \`${name}\` | ${shows} | ${cells} |`;

/** @param {Result} result */
const cellsOf = ({ figure, seconds, commit, date }) =>
  [figure.replaceAll('|', '\\|'), duration(seconds), commit, date].join(' | ');

/** The cells of each step's row, by the step's name. @param {string} table */
function readCells(table) {
  return new Map(
    [...table.matchAll(/^\| `([^`]+)` \| .*? \| (.*) \|$/gm)].map(([, name = '', cells = '']) => [name, cells]),
  );
}

/**
 * The page with the result of one step in its row; the other rows keep what they tell. The rows are those of the steps.
 * @param {string} page
 * @param {Step[]} steps
 * @param {string} [name]  whose result is new
 * @param {Result} [result]
 */
export function withResult(page, steps, name, result) {
  const begin = page.indexOf(head[0] ?? '');
  if (begin < 0) throw new Error(`the page has no table that begins with ${head[0]}`);
  const table = /^(?:\|.*\n?)*/.exec(page.slice(begin))?.[0] ?? '';
  const cells = readCells(table);
  if (name !== undefined && result !== undefined) cells.set(name, cellsOf(result));
  const rows = steps.map(step => row(step, cells.get(step.name) ?? 'not yet | | |'));
  return `${page.slice(0, begin)}${[...head, ...rows].join('\n')}\n${page.slice(begin + table.length)}`;
}
