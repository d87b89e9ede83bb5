// npm run test:endings: see scripts/endings.mjs.
import { readdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { IoPool } from 'system-tls';
import { settled } from '../support/wait.ts';
import { axes, type Case, caseOf, everyCase, lineOf } from './axes.ts';
import { allPairs } from './pairs.ts';
import { randomFrom, shuffle } from './random.ts';
import { type CaseOptions, judge, Oracle, type Verdict } from './run-case.ts';
import { soak } from './soak.ts';

const { values: given } = parseArgs({
  options: {
    all: { type: 'boolean' },
    case: { type: 'string', multiple: true },
    cases: { type: 'string' },
    concurrency: { type: 'string' },
    connections: { type: 'string' },
    list: { type: 'boolean' },
    on: { type: 'string' },
    patience: { type: 'string' },
    seconds: { type: 'string' },
    seed: { type: 'string' },
    soak: { type: 'boolean' },
    verbose: { type: 'boolean' },
  },
});
const numberOf = (text: string | undefined, otherwise: number): number =>
  text === undefined ? otherwise : Number(text);

const seed = numberOf(given.seed, 1);
const concurrency = numberOf(given.concurrency, 24);

/** Pairs first; what is drawn beyond them is the rest of the product in an order that the seed gives. */
function* drawn(): Generator<Case> {
  if (given.case !== undefined) {
    for (const line of given.case) yield caseOf(line);
    return;
  }
  const product = [...everyCase()];
  const random = randomFrom(seed);
  if (given.all) return yield* product;
  const pairs = allPairs(product, random);
  const most = given.seconds !== undefined ? Number.POSITIVE_INFINITY : numberOf(given.cases, pairs.length);
  const lines = new Set(pairs.map(lineOf));
  const rest = most > pairs.length ? shuffle(product, random).filter(each => !lines.has(lineOf(each))) : [];
  let count = 0;
  for (const each of [...pairs, ...rest]) {
    if (count++ >= most) return;
    yield each;
  }
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

interface Totals {
  passed: number;
  failed: number;
}

const totals: Totals = { passed: 0, failed: 0 };

function report({ each, findings, milliseconds }: Verdict): void {
  if (findings.length === 0) {
    totals.passed++;
    if (given.verbose) console.log(`right ${Math.round(milliseconds)} ms --case '${lineOf(each)}'`);
    return;
  }
  totals.failed++;
  console.log(`WRONG --case '${lineOf(each)}' --seed ${seed}: ${findings.join('; ')}`);
}

/** What no case caught is nobody's in particular: the cases that ran at that time are named. */
const running = new Set<Case>();
function caught(kind: string, error: unknown): void {
  totals.failed++;
  console.log(`WRONG ${kind}: ${error instanceof Error ? error.stack : error}`);
  for (const each of running) console.log(`  during --case '${lineOf(each)}'`);
}
process.on('unhandledRejection', error => caught('unhandled rejection', error));
process.on('uncaughtException', error => caught('uncaught exception', error));

const patience = numberOf(given.patience, 60) * 1000;

async function soakAll(): Promise<void> {
  const places = (['loop', 'thread'] as const).filter(place => given.on === undefined || given.on === place);
  if (places.length === 0) throw new Error('--on is loop or thread');
  const connections = numberOf(given.connections, 20_000);
  for (const on of places) {
    const pool = new IoPool({ threads: 1 });
    const result = await soak({ on, connections, concurrency, pool, seed, patience, random: randomFrom(seed) });
    await pool.close();
    for (const failure of result.failures) console.log(`WRONG: ${failure} --seed ${seed}`);
    if (result.failures.length === 0) totals.passed++;
    else totals.failed++;
    const [early, late] = result.resident.map(bytes => (bytes / 2 ** 20).toFixed(1));
    console.log(
      `${on}: ${result.connections} connections, ${early} MiB in the second quarter, ${late} MiB in the last`,
    );
  }
}

async function main(): Promise<void> {
  if (given.soak) return soakAll();
  const pool = new IoPool({ threads: 2 });
  const options: CaseOptions = { pool, seed, patience };
  const oracle = new Oracle(options);
  const product = drawn();
  if (given.list) {
    for (const each of product) console.log(lineOf(each));
    await pool.close();
    return;
  }
  await warmUp(options);
  const before = await settled(descriptors, 'descriptors');
  const start = performance.now();
  const end = given.seconds === undefined ? Number.POSITIVE_INFINITY : start + Number(given.seconds) * 1000;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const each of product) {
        running.add(each);
        report(await judge(each, options, oracle));
        running.delete(each);
        if (performance.now() > end) return;
      }
    }),
  );
  const after = await settled(descriptors, 'descriptors');
  if (after > before) {
    totals.failed++;
    console.log(`WRONG: ${after - before} descriptors are open that were not open before`);
  }
  const connections = pool.connections.reduce((sum, count) => sum + count, 0);
  if (connections > 0) {
    totals.failed++;
    console.log(`WRONG: the threads have ${connections} connections left`);
  }
  await pool.close();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `seed ${seed}, ${seconds} s; node:tls was asked ${oracle.asked} times, and lost data ${await oracle.shortcomings()} times`,
  );
}

/** What is opened once, and then kept, is no leak. */
async function warmUp(options: CaseOptions): Promise<void> {
  for (const on of [...axes.on, 'node'] as const) {
    const line = `peer=half,at=idle,side=server,on=${on},api=data,reads=at-once,version=1.3`;
    await judge(caseOf(line), options, new Oracle(options));
  }
}

await main();
if (!given.list) console.log(`${totals.passed} passed, ${totals.failed} failed`);
process.exitCode = totals.failed > 0 ? 1 : 0;
// The process has to end by itself. If it does not, this says what keeps it.
setTimeout(() => {
  console.error('It is over, but these keep the process alive:', process.getActiveResourcesInfo());
  process.exit(3);
}, 30_000).unref();
