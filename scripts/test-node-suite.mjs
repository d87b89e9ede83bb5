// npm run test:node-suite: Node's own tests of tls, https and http2 with the connections of this package under node:tls.
//
//   (nothing)          gets Node's sources into .cache/node-sources, from Debian's package nodejs
//   --fetch FOLDER     gets them into that folder
//   --node-src FOLDER  takes those that are there
//   --counted FILE     keeps which tests count, for the same node and sources
//   --seed S           in an order that S gives
//   --seconds N        starts no test after N seconds
//   --only NAME        this test, and shows what it prints; may be repeated
//   --node PROGRAM     another node
//   --jobs N           tests at a time, default 4
//   --patience N       seconds that a test has, default 25

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { Lacking } from './debian.mjs';
import { expectedOn } from './node-suite/expected-failures.mjs';
import { counts, howOften, named, shuffled, verdictOf, versionsFrom, wantsMore } from './node-suite/judgement.mjs';
import { Runner } from './node-suite/processes.mjs';
import { digestOf, fetchSources, testsIn } from './node-suite/sources.mjs';
import { root, Stop } from './run.mjs';
import { runMain, setup } from './setup.mjs';

/** @typedef {import('./node-suite/processes.mjs').Outcome} Outcome */
/** @typedef {import('./node-suite/judgement.mjs').Verdict} Verdict */
/** @typedef {import('./node-suite/judgement.mjs').Expected} Expected */
/**
 * @typedef {{ name: string, expected: Expected | undefined, builtin?: Outcome, throwing?: Outcome, counted: boolean, ours: Outcome[] }} Tested
 */
/** @typedef {{ node: string, sources: string, names: string[] }} Counted */

const longest = 4000;
const kinds = /** @type {const} */ (['decision', 'internal of Node', 'another OpenSSL', 'not yet']);

/** @param {string} message @returns {never} */
function refuse(message) {
  console.error(message);
  throw new Stop(message);
}

/** @param {string} name @param {string | undefined} text */
function positive(name, text) {
  if (text === undefined) return undefined;
  const number = Number(text);
  return number > 0 ? number : refuse(`--${name} is a number above 0, not ${text}`);
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      'node-src': { type: 'string' },
      fetch: { type: 'string' },
      counted: { type: 'string' },
      seed: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string', multiple: true },
      node: { type: 'string', default: process.execPath },
      jobs: { type: 'string', default: '4' },
      patience: { type: 'string', default: '25' },
    },
  });
  return {
    ...values,
    sources: values['node-src'],
    seconds: positive('seconds', values.seconds),
    jobs: positive('jobs', values.jobs) ?? 1,
    patience: positive('patience', values.patience) ?? 1,
  };
}

/** @typedef {ReturnType<typeof readArguments>} Arguments */

/** The versions of node and of both OpenSSL. @param {string} node */
function versionsOf(node) {
  const script =
    "import('system-tls').then(({ openssl }) => console.log([process.version, process.versions.openssl, openssl.version].join(' ')))";
  const text = execFileSync(node, ['-e', script], { cwd: root, encoding: 'utf8' });
  const [version = '', builtin = '', ours = ''] = text.trim().split(' ');
  return { version, builtin, ours };
}

/** What was derived before for the same. @param {string | undefined} file @param {Omit<Counted, 'names'>} same */
function readCounted(file, { node, sources }) {
  if (file === undefined || !existsSync(file)) return undefined;
  /** @type {Counted} */
  const counted = JSON.parse(readFileSync(file, 'utf8'));
  return counted.node === node && counted.sources === sources ? new Set(counted.names) : undefined;
}

/**
 * Whether it counts, and what it does on this package.
 * @param {Runner} runner @param {string} name
 * @param {{ expected: Expected | undefined, known: Set<string> | undefined, always: boolean }} how
 * @returns {Promise<Tested>}
 */
async function test(runner, name, { expected, known, always }) {
  /** @type {Tested} */
  const tested = { name, expected, counted: known?.has(name) ?? false, ours: [] };
  if (known === undefined) {
    // A machine under load must not make a test that counts one that does not.
    tested.builtin = await runner.run(name, 'builtin');
    if (tested.builtin.result === 'failed') tested.builtin = await runner.run(name, 'builtin');
    if (tested.builtin.result === 'passed') {
      tested.throwing = await runner.run(name, 'throwing');
      tested.counted = counts(tested.builtin, tested.throwing);
    }
  }
  if (!tested.counted && !always) return tested;
  while (wantsMore(tested.ours, expected)) tested.ours.push(await runner.run(name, 'ours'));
  return tested;
}

/** The end of what it printed. @param {string} output */
const shortened = output => (output.length > longest ? `(cut here)\n${output.slice(-longest)}` : output).trimEnd();

/** @param {Tested} tested @param {boolean} alone */
function report({ name, expected, builtin, throwing, counted, ours }, alone) {
  const verdict = verdictOf(ours, expected);
  const bad = ours.find(({ result }) => result === 'crashed') ?? ours.find(({ result }) => result !== 'passed');
  if (alone) {
    for (const [side, outcome] of Object.entries({ builtin, throwing })) {
      if (outcome !== undefined) console.log(`\n== ${name}, ${side}: ${outcome.result}, ${outcome.end}`);
    }
    const shown = bad ?? ours[0];
    const count = counted ? '' : ', does not count';
    console.log(`\n== ${name}: ${verdict}, ${howOften(ours)}, ${shown?.end}${count}\n${shown?.output.trimEnd()}`);
  } else if (verdict === 'unexpected' || verdict === 'crashed') {
    console.log(`\n✘ ${name}: ${verdict}, ${howOften(ours)}, ${bad?.end}\n${shortened(bad?.output ?? '')}`);
  } else if (verdict === 'unexpectedly passing') {
    console.log(`\n✘ ${name}: ${verdict}, ${howOften(ours)}: take it out of scripts/node-suite/expected-failures.mjs`);
  } else if (verdict === 'flaky') {
    console.log(`\n~ ${name}: ${howOften(ours)}`);
  }
}

/**
 * All of them, several at a time, as long as there is time.
 * @param {Runner} runner @param {readonly string[]} names @param {Set<string> | undefined} known
 * @param {(name: string) => Expected | undefined} expectedOf @param {Arguments} args
 */
async function testAll(runner, names, known, expectedOf, { only, seconds = Number.POSITIVE_INFINITY, jobs }) {
  const alone = only !== undefined;
  const end = performance.now() + seconds * 1000;
  const waiting = [...names];
  /** @type {Tested[]} */
  const done = [];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      if (performance.now() >= end) return;
      const tested = await test(runner, name, { expected: expectedOf(name), known, always: alone });
      done.push(tested);
      if (tested.ours.length > 0) report(tested, alone);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return done;
}

/** @param {Tested[]} done @param {string} kind @param {Verdict[]} verdicts */
const ofKind = (done, kind, verdicts) =>
  done.filter(({ expected, ours }) => expected?.kind === kind && verdicts.includes(verdictOf(ours, expected)));

/** @param {Tested[]} done @param {boolean} derived */
function summary(done, derived) {
  const ours = done.filter(({ counted }) => counted);
  /** @param {Verdict} wanted */
  const of = wanted => ours.filter(({ expected, ours }) => verdictOf(ours, expected) === wanted);
  const passed = of('passed').length;
  if (derived) {
    const builtin = done.filter(({ builtin }) => builtin?.result === 'passed').length;
    const throwing = done.filter(({ throwing }) => throwing?.result === 'passed').length;
    console.log(`node:tls itself passes ${builtin}; one that throws passes ${throwing} of them`);
  }
  const expected = kinds.map(kind => ({ kind, failing: ofKind(ours, kind, ['expected', 'flaky']) }));
  const failing = expected.reduce((sum, each) => sum + each.failing.length, 0);
  console.log(`${passed} of the ${ours.length} that count pass, ${failing} fail as expected`);
  for (const { kind, failing } of expected) {
    console.log(`${kind}: ${failing.length}`);
    for (const { name, expected } of failing) console.log(`  ${name}: ${expected?.reason}`);
  }
  for (const { name, ours } of of('flaky')) console.log(`flaky: ${name} ${howOften(ours)}`);
  const idle = done.filter(({ expected, counted }) => !counted && expected !== undefined);
  if (idle.length > 0) console.log(`expected to fail, and does not count: ${idle.map(({ name }) => name).join(' ')}`);
  const bad = /** @type {const} */ (['unexpected', 'unexpectedly passing', 'crashed']).map(verdict => {
    const names = of(verdict).map(({ name }) => name);
    console.log(`${verdict}: ${[names.length, ...names].join(' ')}`);
    return names.length;
  });
  return { passed, failed: bad.reduce((sum, each) => sum + each) };
}

/** @param {Arguments} args @param {readonly string[]} names */
function chosen({ only, seed, seconds }, names) {
  if (only !== undefined) {
    return only.flatMap(each => {
      const found = named(names, each);
      return found.length > 0 ? found : refuse(`There is no test ${each}.`);
    });
  }
  if (seed === undefined && seconds === undefined) return names;
  const drawn = seed ?? String(Date.now() % 1_000_000);
  console.log(`in the order of --seed ${drawn}`);
  return shuffled(names, drawn);
}

/** @param {Arguments} args */
async function main(args) {
  const where = args.sources ?? fetchSources(path.resolve(args.fetch ?? path.join(root, '.cache/node-sources')));
  const { folder, names } = testsIn(path.resolve(where));
  const { version, builtin, ours } = versionsOf(args.node);
  console.log(`node ${version} with OpenSSL ${builtin}, system-tls with OpenSSL ${ours}`);
  const tests = chosen(args, names);
  const same = { node: `${version} ${builtin}`, sources: digestOf(folder, names) };
  const known = readCounted(args.counted, same);
  console.log(`${names.length} tests${known === undefined ? '' : `, of which ${known.size} are known to count`}`);
  const versions = versionsFrom({ node: version, builtin, system: ours });
  const expectedOf = (/** @type {string} */ name) => expectedOn(name, versions);
  const runner = new Runner({
    sources: folder,
    node: args.node,
    seconds: args.patience,
    foreign: args.node !== process.execPath,
  });
  const stop = (/** @type {NodeJS.Signals} */ signal) => {
    runner.end();
    process.kill(process.pid, signal);
  };
  process.once('SIGINT', stop).once('SIGTERM', stop).once('SIGHUP', stop);
  try {
    const done = (await testAll(runner, tests, known, expectedOf, args)).sort((one, other) =>
      one.name < other.name ? -1 : 1,
    );
    if (args.counted !== undefined && known === undefined && done.length === names.length) {
      const counted = done.filter(({ counted }) => counted).map(({ name }) => name);
      writeFileSync(args.counted, `${JSON.stringify({ ...same, names: counted.sort() }, null, 2)}\n`);
    }
    console.log(`\n${done.length} of ${names.length} tests were looked at`);
    const { passed, failed } = summary(done, known === undefined);
    console.log(`${passed} passed, ${failed} failed`);
    return failed > 0 ? 1 : 0;
  } finally {
    runner.end();
  }
}

await runMain(async () => {
  const args = readArguments();
  await setup();
  try {
    return await main(args);
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    console.log(`skipped: ${error.message}\n0 passed, 0 failed, 1 skipped`);
    return 0;
  }
});
