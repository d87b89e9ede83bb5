// What a request costs the thread of JavaScript, and what an idle connection keeps: the figures by which one chooses.
import { availableParallelism, loadavg } from 'node:os';
import type { Cost, Costs } from './cost/measure.ts';
import { connections, httpKinds, idleConnections, measureIdle, measureRequests } from './cost/measure.ts';
import { answerSize, type IdleKind, type Kind, suite } from './cost/messages.ts';
import type { Pki } from './link.ts';
import { check, type Report } from './report.ts';

/** A median that is off by more than that says little. */
const tolerable = 1.3;

const names: Readonly<Record<Kind, string>> = {
  http: 'node:http, no TLS',
  https: 'node:https',
  loop: 'system-tls, on the loop',
  thread: 'system-tls, on one I/O thread',
  'node:tls': 'node:tls',
  'system-tls': 'system-tls',
};
const idleKinds: readonly IdleKind[] = ['node:tls', 'system-tls'];

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[Math.floor(values.length / 2)] ?? 0;

/** Of each round by itself. */
function ratio(ours: readonly Cost[], theirs: readonly Cost[]): string {
  const ratios = sorted(ours.map(({ main }, round) => main / (theirs[round]?.main ?? Number.NaN)));
  const [lowest = 0, highest = 0] = [ratios[0], ratios.at(-1)];
  return `${median(ratios).toFixed(2)} (${lowest.toFixed(2)} to ${highest.toFixed(2)} in ${ratios.length} ${ratios.length === 1 ? 'round' : 'rounds'})`;
}

/** Where one thread cannot be told from the others, the measuring counts all of them. */
const threadsApart = process.platform === 'linux' || 'threadCpuUsage' in process;

/** Why the figures may be wrong. */
function doubts(costs: Costs, processors: number, busy: number): string[] {
  const spread = Math.max(...httpKinds.map(kind => spreadOf(costs[kind].map(({ main }) => main))));
  return [
    processors === 1 && 'a thread beside the one of JavaScript takes its time from it here, and gains nothing',
    processors === 2 && 'the load and all threads share two processors',
    busy > processors / 2 && 'the machine is busy with other work',
    costs.http.length === 1 && 'one round alone does not tell how noisy they are',
    spread > tolerable &&
      `they are noisy, and rounds differ by ${spread.toFixed(1)} times: --rounds 9 takes more of them`,
    !threadsApart && 'they are of all threads: this system does not tell one from the others',
  ].filter(doubt => doubt !== false);
}

function showMachine(report: Report, costs: Costs, busy: number): void {
  const processors = availableParallelism();
  const count = processors === 1 ? 'one processor' : `${processors} processors`;
  report.detail(`figures of ${count}, with a load average of ${busy.toFixed(1)} before`);
  for (const doubt of doubts(costs, processors, busy)) report.detail(`- ${doubt}`);
}

const spreadOf = (values: readonly number[]): number => Math.max(...values) / Math.min(...values);

function showRequests(report: Report, costs: Costs): void {
  const mains = httpKinds.map(kind => median(costs[kind].map(({ main }) => main)));
  for (const [index, kind] of httpKinds.entries()) {
    const main = mains[index] ?? 0;
    const all = median(costs[kind].map(cost => cost.all));
    report.bar(names[kind], main / Math.max(...mains), `${main.toFixed(1)} us (all threads ${all.toFixed(1)})`);
  }
  report.figure('a thread / node:http', ratio(costs.thread, costs.http));
  report.figure('a thread / node:https', ratio(costs.thread, costs.https));
}

async function showIdle(report: Report, pki: Pki): Promise<void> {
  const sizes: number[] = [];
  for (const kind of idleKinds) sizes.push(await measureIdle(kind, pki));
  check(
    sizes.every(size => size > 0),
    'connections to keep some memory',
  );
  report.passed('an idle connection keeps', `${idleConnections} of them in a server`);
  for (const [index, kind] of idleKinds.entries()) {
    const size = sizes[index] ?? 0;
    report.bar(names[kind], size / Math.max(...sizes), `${size.toFixed(1)} KiB`);
  }
}

/** Each server is measured in `rounds`. */
export async function showCost(report: Report, pki: Pki, rounds: number): Promise<void> {
  report.heading('What HTTPS costs');
  // Before there is a load of ours.
  const busy = loadavg()[0] ?? 0;
  const label = 'requests';
  const costs = await measureRequests(pki, rounds, fraction => report.progress(label, fraction));
  report.passed(
    'JavaScript’s thread spends',
    `${connections} connections, answers of ${answerSize} bytes, ${suite.ciphers}`,
  );
  showRequests(report, costs);
  await showIdle(report, pki);
  showMachine(report, costs, busy);
}
