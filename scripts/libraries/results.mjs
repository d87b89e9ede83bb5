// The table of what was run.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withMarkedPart } from '../marked-part.mjs';
import { root } from '../run.mjs';
import { debianVersion, program } from './daemon.mjs';
import { versionOf } from './install.mjs';
import { titleOf } from './servers.mjs';
import { wayNames, ways } from './ways.mjs';

/** @typedef {import('./cases.mjs').Case} Case */
/** @typedef {import('./servers.mjs').Name} ServerName */
/** @typedef {import('./ways.mjs').WayName} WayName */
/** @typedef {'passed' | 'failed' | 'skipped'} Outcome */
/** @typedef {{ case: Case, outcomes: Partial<Record<WayName, Outcome>>, done: string | undefined }} Result */

const page = 'docs/guide/drop-in.md';
const marks = {
  begin: '<!-- libraries, written by: npm run test:libraries -- --page -->',
  end: '<!-- end of the libraries -->',
};

/** @type {Record<string, string>} */
const ofNode = {
  'http2.mjs': '`node:http2`, server and client',
  'fetch.mjs': '`fetch()` of Node, and `node:https`',
};

const marked = { passed: 'passes', failed: '**fails**', skipped: 'not run' };

/** @param {Case} each */
function nameOf({ app, packages, driver }) {
  const names = packages.map(name => `${name} ${versionOf(name)}`).join(', ');
  if (app === 'application.cjs') return `an application: ${names}`;
  if (driver === 'chromium.mjs') return `\`node:http2\` and ${names}`;
  return ofNode[app] ?? names;
}

/** Of programs that were run. @param {Case} each */
function peerOf({ servers, programs }) {
  const names = /** @type {ServerName[]} */ (Object.keys(servers ?? {}));
  const others = Object.values(programs ?? {}).map(([name, from]) => `${name} ${debianVersion(program(name, from))}`);
  return [...names.map(titleOf), ...others].join(', ');
}

/** In Markdown. @param {Result[]} results */
export function table(results) {
  const titles = wayNames.filter(way => way !== 'node').map(way => ways[way].title);
  const rows = results.map(({ case: each, outcomes, done }) => {
    const cells = wayNames.filter(way => way !== 'node').map(way => (outcomes[way] ? marked[outcomes[way]] : '-'));
    return [nameOf(each), Object.values(outcomes).includes('skipped') ? '' : peerOf(each), done ?? '', ...cells];
  });
  const lines = [['library', 'with', 'what it does', ...titles], Array(3 + titles.length).fill('---'), ...rows];
  return lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
}

/** @param {string} part */
export function writePage(part) {
  const file = path.join(root, page);
  writeFileSync(file, withMarkedPart(readFileSync(file, 'utf8'), marks, part));
}
