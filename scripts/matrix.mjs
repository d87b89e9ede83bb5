// The tests of the packed package on every OpenSSL and every Node that it is for, each in a cell of its own.
//   node scripts/matrix.mjs [--openssl 3.0,4.0] [--node 20,26] [--page] [FOLDER...]
// FOLDER: as test/sockets; without any, all tests. Needs the binaries of `npm run prebuild`; a cell whose binary, OpenSSL or node
// cannot be had is skipped, and says why. --page writes the table into docs/platforms.md.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Lacking } from './debian.mjs';
import { fetchNode } from './fetch-node.mjs';
import { installedProject, ofStranger } from './installed-project.mjs';
import { withMarkedPart } from './marked-part.mjs';
import { cellsOf, marks, tableOf } from './matrix-table.mjs';
import { Counts } from './mocha.mjs';
import { onRelease } from './on-release.mjs';
import { releases } from './openssl-release.mjs';
import { root, Stop } from './run.mjs';
import { runMain, setup } from './setup.mjs';
import { runSuites } from './side-by-side.mjs';
import { testFiles } from './suites.mjs';

/** @typedef {import('./matrix-table.mjs').Cell} Cell */
/** @typedef {import('./matrix-table.mjs').Row} Row */

/** What loads in the cell: it would prove nothing if a copy went on using the system's. */
const script = `
  import { openssl } from 'system-tls';
  console.log(JSON.stringify({ openssl: openssl.version, node: process.versions.node }));
`;

/** @param {Cell} cell @param {string} folder */
function programsFor(cell, folder) {
  const binary = `prebuilds/linux-x64/system-tls.openssl${releases[cell.openssl]?.major}.glibc.node`;
  if (!existsSync(path.join(folder, 'node_modules/system-tls', binary))) throw new Lacking(`there is no ${binary}`);
  let node;
  try {
    node = fetchNode(cell.node);
  } catch (error) {
    if (error instanceof Stop) throw new Lacking(error.message);
    throw error;
  }
  return onRelease(cell.openssl, node);
}

/** @param {Cell} cell @param {ReturnType<typeof onRelease>} programs @param {string} folder */
function versionsIn(cell, { node, env }, folder) {
  const options = /** @type {const} */ ({ cwd: folder, encoding: 'utf8', env: { ...process.env, ...env } });
  const found = JSON.parse(execFileSync(node, ['--input-type=module', '-e', script], options));
  const program = execFileSync('openssl', ['version'], options).split(' ')[1];
  const asked = found.openssl.startsWith(`${cell.openssl}.`) && found.node.startsWith(`${cell.node}.`);
  if (!asked || found.openssl !== program) {
    throw new Error(`the cell of OpenSSL ${cell.openssl} and Node ${cell.node} has ${JSON.stringify(found)}`);
  }
  return found;
}

/** @param {Cell} cell @param {string[]} files @param {string} folder @returns {Promise<Row>} */
async function runCell(cell, files, folder) {
  try {
    const programs = programsFor(cell, folder);
    const versions = versionsIn(cell, programs, folder);
    console.log(`\n== OpenSSL ${versions.openssl}, Node ${versions.node}`);
    const { passed, failed, skipped } = await runSuites(files, { ...programs, folder });
    return { ...cell, ...versions, cell, passed, failed, skipped };
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    console.log(`\n== OpenSSL ${cell.openssl}, Node ${cell.node}\nskipped: ${error.message}`);
    return { cell, openssl: cell.openssl, node: cell.node, passed: 0, failed: 0, skipped: 1, lacks: error.message };
  }
}

/** @param {string} table */
function writePage(table) {
  const page = path.join(root, 'docs/platforms.md');
  writeFileSync(page, withMarkedPart(readFileSync(page, 'utf8'), marks, table));
}

await runMain(async () => {
  const { values, positionals } = parseArgs({
    options: { openssl: { type: 'string' }, node: { type: 'string' }, page: { type: 'boolean' } },
    allowPositionals: true,
  });
  const cells = cellsOf(values);
  await setup();
  const folder = installedProject();
  if (folder === undefined) return 1;
  const files = ofStranger(testFiles(positionals.length > 0 ? positionals : ['test']));
  const counts = new Counts();
  /** @type {Row[]} */
  const rows = [];
  for (const cell of cells) {
    const row = await runCell(cell, files, folder);
    rows.push(row);
    counts.add(row);
  }
  const table = tableOf(rows, { date: new Date(), folders: positionals });
  console.log(`\n${table}`);
  if (values.page) writePage(table);
  return counts.conclude();
});
