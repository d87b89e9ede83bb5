// What `npm start` runs: the main abilities of the package, each shown and checked.
//   node demo.js [--rounds N]   rounds of the comparison with node:http and node:https: 3
import { parseArgs } from 'node:util';
import { showCost } from './demo/cost.ts';
import { showOpenssl } from './demo/isolation.ts';
import { makePki, type Pki } from './demo/link.ts';
import { CheckFailed, Report } from './demo/report.ts';
import { showResumption } from './demo/resumption.ts';
import { showShutdown } from './demo/shutdown.ts';
import { showTls12 } from './demo/tls12.ts';
import { showTls13 } from './demo/tls13.ts';

function roundsGiven(): number {
  const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '3' } } }).values;
  const value = Number(rounds);
  if (Number.isSafeInteger(value) && value > 0) return value;
  console.error(`--rounds must be a whole number above 0; it is '${rounds}'.`);
  process.exit(1);
}

const rounds = roundsGiven();

/** Seconds in which the process had its turn: a machine that stands still is no step that does not end. */
const longest = 24 + 2 * rounds;

const parts: readonly ((report: Report, pki: Pki) => Promise<void> | void)[] = [
  showOpenssl,
  showTls13,
  showTls12,
  showResumption,
  showShutdown,
  (report, pki) => showCost(report, pki, rounds),
];

let finished = false;
let failed = false;

/** Waiting for what never comes must not look like success, and must not last. */
function watchTheEnd(report: Report): void {
  let seconds = 0;
  setInterval(() => {
    if (++seconds === longest) process.exit(1);
  }, 1000).unref();
  process.once('exit', code => {
    if (finished || failed) return;
    report.failed('not finished', 'a step waited for something that did not come');
    process.exitCode = code === 0 ? 1 : code;
  });
}

async function main(): Promise<void> {
  const start = performance.now();
  const report = new Report();
  watchTheEnd(report);
  try {
    const pki = makePki();
    for (const part of parts) await part(report, pki);
  } catch (error) {
    failed = true;
    report.failed('not as it should be', error instanceof CheckFailed ? `expected ${error.message}` : '');
    if (!(error instanceof CheckFailed)) console.error(error);
    process.exit(1);
  }
  finished = true;
  console.log(`\nEverything is as it should be, after ${((performance.now() - start) / 1000).toFixed(1)} seconds.`);
}

await main();
