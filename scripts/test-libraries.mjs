// npm run test:libraries: libraries of npm, unchanged, whose TLS is of this package: under `--require system-tls/register`, on the loop
// and on an I/O thread, and where they take a socket, an agent or a server, over the import. Each runs over Node's own TLS too.
//
//   --npm-only      those that need no program of the system's
//   --only NAME     the application test/libraries/apps/NAME, and shows what it prints; may be repeated
//   --node PROGRAM  another node
//   --jobs N        applications at a time, default 2
//   --page          writes the table into docs/guide/drop-in.md

import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { cases, needsNpmAlone } from './libraries/cases.mjs';
import { makeCertificates } from './libraries/certificates.mjs';
import { Lacking, program } from './libraries/daemon.mjs';
import { folder, install } from './libraries/install.mjs';
import { complaintOf, doneIn } from './libraries/judgement.mjs';
import { readCounts, runApplication } from './libraries/processes.mjs';
import { table, writePage } from './libraries/results.mjs';
import { Servers } from './libraries/servers.mjs';
import { wayNames, ways } from './libraries/ways.mjs';
import { Counts } from './mocha.mjs';
import { Stop } from './run.mjs';
import { runMain, setup } from './setup.mjs';

/** @typedef {import('./libraries/cases.mjs').Case} Case */
/** @typedef {import('./libraries/results.mjs').Result} Result */
/** @typedef {import('./libraries/servers.mjs').Name} ServerName */
/** @typedef {import('./libraries/ways.mjs').WayName} WayName */

const counts = new Counts();

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  throw new Stop(message);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      'npm-only': { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      node: { type: 'string', default: process.execPath },
      jobs: { type: 'string', default: '2' },
      page: { type: 'boolean', default: false },
    },
  });
  const [npmOnly, jobs] = [values['npm-only'], Number(values.jobs)];
  if (!(Number.isInteger(jobs) && jobs > 0)) refuse(`--jobs is a number above 0, not ${values.jobs}`);
  if (values.page && (npmOnly || values.only !== undefined)) refuse('--page writes what a run of all has shown');
  return { ...values, npmOnly, jobs };
}

/** @typedef {ReturnType<typeof readArguments>} Arguments */

/** @param {Arguments} args */
function chosenCases({ npmOnly, only }) {
  const title = (/** @type {Case} */ { app }) => path.parse(app).name;
  const unknown = only?.find(name => !cases.some(each => title(each) === name));
  if (unknown !== undefined) refuse(`There is no ${unknown}. There are: ${cases.map(title).join(', ')}.`);
  if (only !== undefined) return cases.filter(each => only.includes(title(each)));
  return npmOnly ? cases.filter(needsNpmAlone) : cases;
}

/** What it needs of the system's, in its environment. @param {Case} each @param {Servers} servers */
async function environmentOf({ servers: wanted = {}, programs = {} }, servers) {
  /** @type {Record<string, string>} */
  const env = {};
  for (const [variable, [name, from]] of Object.entries(programs)) env[variable] = program(name, from);
  for (const [name, variable] of Object.entries(wanted)) {
    env[variable] = String(await servers.port(/** @type {ServerName} */ (name)));
  }
  return env;
}

/**
 * One application in one way.
 * @param {Case} each @param {WayName} way @param {Record<string, string>} env @param {Arguments} args @param {string} where
 */
async function test(each, way, env, { node, only }, where) {
  const file = path.join(where, `${each.app}.${way}.counts`);
  const began = performance.now();
  const run = await runApplication({
    node,
    flags: ways[way].flags,
    app: each.app,
    driver: each.driver,
    env: {
      ...env,
      ...ways[way].env,
      CERTIFICATES: where,
      LIBRARIES_COUNTS: file,
      ...(each.extraCa && { NODE_EXTRA_CA_CERTS: path.join(where, 'ca.pem') }),
    },
  });
  const seen = readCounts(file);
  const complaint = complaintOf(each, way, { ...run, seen });
  const passed = complaint === undefined;
  counts.add(passed ? { passed: 1 } : { failed: 1 });
  const { ours, onThreads, nodes } = seen;
  const sockets = `${ours} sockets of ours${onThreads > 0 ? `, ${onThreads} on threads` : ''}, ${nodes} of Node's`;
  const seconds = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`  ${passed ? '✔' : '✘'} ${each.app}, ${ways[way].title} (${sockets}; ${seconds} s)`);
  if (!passed) console.log(`    ${complaint}\n${run.output.slice(-4000)}`);
  else if (only !== undefined) console.log(run.output);
  return { passed, done: doneIn(run.output) };
}

/** In all ways, one after the other. @param {Case} each @param {Servers} servers @param {Arguments} args @param {string} where */
async function testAllWays(each, servers, args, where) {
  const wanted = wayNames.filter(way => way !== 'import' || each.imports === true);
  /** @type {Result} */
  const result = { case: each, outcomes: {}, done: undefined };
  let env;
  try {
    env = await environmentOf(each, servers);
  } catch (error) {
    const outcome = error instanceof Lacking ? 'skipped' : 'failed';
    console.log(
      `  ${outcome === 'failed' ? '✘' : '-'} ${each.app} (${outcome}: ${/** @type {Error} */ (error).message})`,
    );
    counts.add({ [outcome]: wanted.length });
    for (const way of wanted) result.outcomes[way] = outcome;
    return result;
  }
  for (const way of wanted) {
    const { passed, done } = await test(each, way, env, args, where);
    result.outcomes[way] = passed ? 'passed' : 'failed';
    result.done ??= done;
  }
  return result;
}

/** Several at a time. @param {Case[]} chosen @param {Arguments} args @param {string} where @param {Servers} servers */
async function testAll(chosen, args, where, servers) {
  const waiting = [...chosen.entries()];
  /** @type {Result[]} */
  const results = [];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results[next[0]] = await testAllWays(next[1], servers, args, where);
    }
  };
  await Promise.all(Array.from({ length: args.jobs }, work));
  return results;
}

/** @param {string} node */
function versions(node) {
  const script =
    "import('system-tls').then(({ openssl }) => console.log('node', process.version, 'with OpenSSL', openssl.version))";
  return execFileSync(node, ['-e', script], { cwd: folder, encoding: 'utf8' }).trim();
}

await runMain(async () => {
  const args = readArguments();
  const chosen = chosenCases(args);
  await setup();
  install();
  console.log(`libraries on ${versions(args.node)}`);
  const where = realpathSync(mkdtempSync(path.join(tmpdir(), 'libraries-')));
  const servers = new Servers(where);
  // What has been started ends at 'exit'.
  const removeFolder = () => rmSync(where, { recursive: true, force: true });
  process.once('exit', removeFolder);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  try {
    makeCertificates(where);
    const rows = table(await testAll(chosen, args, where, servers));
    console.log(`\n${rows}\n`);
    if (args.page) writePage(rows);
  } finally {
    await servers.stop();
    removeFolder();
  }
  return counts.conclude();
});
