// npm run check:full [-- --list | --page | --only STEP... | --from STEP]: the whole of what .ci/run samples, which takes hours. What has passed at
// this commit is not run again unless --only or --from name it. Each step writes its row into docs/reliability.md;
// --page writes the rows of steps that are new or changed their description.

import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { finished } from 'node:stream/promises';
import { parseArgs } from 'node:util';
import { steps } from './full-steps.mjs';
import { withResult } from './reliability-page.mjs';
import { environment, isMain, root, run, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

/** @typedef {import('./full-steps.mjs').Step} Step */
/** @typedef {import('./reliability-page.mjs').Result & { passed: boolean }} Outcome */

const page = 'docs/reliability.md';
const others = ['--', '.', `:!${page}`];

/** @param {string[]} args */
const git = args => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();

/** The last commit that changed anything but the page, and whether something has changed since. */
function version() {
  const commit = git(['log', '-1', '--format=%h', ...others]);
  const changes = git(['status', '--porcelain', ...others]) + git(['diff', 'HEAD', ...others]);
  if (changes === '') return commit;
  return `${commit} and changes ${createHash('sha256').update(changes).digest('hex').slice(0, 8)}`;
}

/** What has passed, by the step's name. @param {string} folder @returns {Record<string, Outcome>} */
function readState(folder) {
  const file = path.join(folder, 'state.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/**
 * Those to run, in their order.
 * @param {Step[]} all
 * @param {{ only?: string[] | undefined, from?: string | undefined }} choice
 * @param {(name: string) => boolean} hasPassed
 */
export function chosenSteps(all, { only, from }, hasPassed) {
  for (const name of [...(only ?? []), ...(from === undefined ? [] : [from])]) {
    if (all.some(step => step.name === name)) continue;
    console.error(`There is no step ${name}. There are: ${all.map(step => step.name).join(', ')}.`);
    throw new Stop(`no step ${name}`);
  }
  if (only !== undefined) return all.filter(step => only.includes(step.name));
  if (from !== undefined) return all.slice(all.findIndex(step => step.name === from));
  return all.filter(step => !hasPassed(step.name));
}

/**
 * @param {Step} step
 * @param {string} log  a file for its output
 */
async function output(step, log) {
  const file = createWriteStream(log);
  // npm puts node_modules/.bin first on the PATH for what it runs.
  const child = spawn('npm', ['run', ...step.run], {
    cwd: root,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      process.stdout.write(chunk);
      file.write(chunk);
    });
  }
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  file.end();
  await finished(file);
  return { code, text: readFileSync(log, 'utf8') };
}

/**
 * What a step's output comes to.
 * @param {Step} step
 * @param {number | null} code
 * @param {string} text
 */
export function judgement(step, code, text) {
  const passed = code === 0 && !(step.failed?.(text) ?? false);
  const counted = [...text.matchAll(/^\d+ passed, \d+ failed(?:, \d+ skipped)?$/gm)].at(-1)?.[0];
  const figure = step.figure?.(text) ?? counted ?? (passed ? 'passed' : `code ${code}`);
  return { passed, figure: passed ? figure : `**failed**: ${figure}` };
}

/**
 * @param {Step} step
 * @param {string} folder
 * @param {string} commit
 * @returns {Promise<Outcome>}
 */
async function perform(step, folder, commit) {
  console.log(`\n== ${step.name}: ${step.shows}\n== npm run ${step.run.join(' ')}`);
  const begin = performance.now();
  const log = path.join(folder, `${step.name}.log`);
  const { code, text } = await output(step, log);
  const result = judgement(step, code, text);
  const seconds = (performance.now() - begin) / 1000;
  console.log(`== ${step.name}: ${result.figure}, in ${seconds.toFixed(0)} s; ${path.relative(root, log)}`);
  if (!result.passed) run('bash', ['.ci/excerpt', log]);
  return { ...result, seconds, commit, date: new Date().toISOString().slice(0, 10) };
}

/** @param {string} [name] @param {Outcome} [outcome] */
function writePage(name, outcome) {
  const file = path.join(root, page);
  writeFileSync(file, withResult(readFileSync(file, 'utf8'), steps, name, outcome));
}

function readArguments() {
  return parseArgs({
    options: {
      list: { type: 'boolean', default: false },
      page: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true },
      from: { type: 'string' },
    },
  }).values;
}

async function main() {
  const args = readArguments();
  const commit = version();
  const folder = path.join(root, '.cache/check-full', commit.replaceAll(' ', '-'));
  const state = readState(folder);
  const hasPassed = (/** @type {string} */ name) => state[name]?.passed === true;
  if (args.list) {
    for (const { name, shows } of steps) {
      console.log(`${hasPassed(name) ? '✔' : ' '} ${name.padEnd(18)} ${state[name]?.figure ?? shows}`);
    }
    return 0;
  }
  if (args.page) {
    writePage();
    return 0;
  }
  mkdirSync(folder, { recursive: true });
  /** @type {string[]} */
  const bad = [];
  for (const step of chosenSteps(steps, args, hasPassed)) {
    const outcome = await perform(step, folder, commit);
    state[step.name] = outcome;
    writeFileSync(path.join(folder, 'state.json'), `${JSON.stringify(state, null, 2)}\n`);
    writePage(step.name, outcome);
    if (!outcome.passed) bad.push(step.name);
  }
  console.log(bad.length > 0 ? `\nfailed: ${bad.join(', ')}` : '\nEverything that was run has passed.');
  return bad.length > 0 ? 1 : 0;
}

if (isMain(import.meta.url)) await runMain(main);
