// What `npm start` runs: the main abilities of the package, each shown and checked.
//   node demo.js [--rounds N]   rounds of the comparison with node:tls: 5
import { parseArgs } from 'node:util';
import { showOpenssl } from './demo/isolation.ts';
import { makePki, type Pki } from './demo/link.ts';
import { CheckFailed, Report } from './demo/report.ts';
import { showResumption } from './demo/resumption.ts';
import { showShutdown } from './demo/shutdown.ts';
import { showThroughput } from './demo/throughput.ts';
import { showTls12 } from './demo/tls12.ts';
import { showTls13 } from './demo/tls13.ts';

/** Seconds in which the process had its turn: a machine that stands still is no step that does not end. */
const longest = 28;

const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } }).values;

const parts: readonly ((report: Report, pki: Pki) => Promise<void> | void)[] = [
  showOpenssl,
  showTls13,
  showTls12,
  showResumption,
  showShutdown,
  (report, pki) => showThroughput(report, pki, Number(rounds)),
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
