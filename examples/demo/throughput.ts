// How fast bytes flow, beside node:tls in the same run.
//
// Both ends are in this one thread and of the same implementation, so a figure is the cost of sending and receiving
// together. The two take turns, since machines are noisy: the ratio of neighbours says more than either figure.
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { connect, createServer, openssl } from 'system-tls';
import { type Pki, portOf } from './link.ts';
import { check, type Report } from './report.ts';

const chunkSize = 65_536;
const warmUp = 150;
const duration = 400;
const mebibyte = 1 << 20;

const common = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' } as const;

/** How the client is told of data. */
type Receiving = "'data' events" | 'onread buffer';

/** Data was received. */
type Counter = (bytes: number) => void;

interface Stream extends AsyncDisposable {
  /** Sends; its peer receives and counts. */
  readonly sender: Duplex;
}

interface Contender {
  readonly name: string;
  open(pki: Pki, receiving: Receiving, count: Counter): Promise<Stream>;
}

/** The option has the same name and meaning in node:net. */
function onread(receiving: Receiving, count: Counter) {
  if (receiving !== 'onread buffer') return undefined;
  const callback = (bytes: number): boolean => {
    count(bytes);
    return true;
  };
  return { buffer: new Uint8Array(chunkSize), callback };
}

const systemTls: Contender = {
  name: `system-tls (OpenSSL ${openssl.version})`,
  async open(pki, receiving, count) {
    const server = createServer({ ...common, ...pki.server });
    await server.listen({ host: 'localhost' });
    const accepted = once(server, 'secureConnection');
    const target = { host: 'localhost', port: portOf(server), ca: pki.authority.cert };
    const client = await connect({ ...common, ...target, onread: onread(receiving, count) });
    if (receiving === "'data' events") client.on('data', (chunk: Buffer) => count(chunk.length));
    const [sender] = (await accepted) as [Duplex];
    return { sender, [Symbol.asyncDispose]: () => end(client, sender, () => server.close()) };
  },
};

const nodeTls: Contender = {
  name: `node:tls (OpenSSL ${process.versions.openssl})`,
  async open(pki, receiving, count) {
    const server = tls.createServer({ ...common, ...pki.server, noDelay: true });
    await once(server.listen(0, 'localhost'), 'listening');
    const accepted = once(server, 'secureConnection');
    const { port } = server.address() as { port: number };
    const options = { ...common, host: 'localhost', port, ca: pki.authority.cert, noDelay: true };
    const client = tls.connect({ ...options, onread: onread(receiving, count) } as tls.ConnectionOptions);
    if (receiving === "'data' events") client.on('data', (chunk: Buffer) => count(chunk.length));
    const [sender] = (await accepted) as [Duplex];
    return { sender, [Symbol.asyncDispose]: () => end(client, sender, () => once(server.close(), 'close')) };
  },
};

async function end(client: Duplex, sender: Duplex, close: () => Promise<unknown>): Promise<void> {
  // What is in flight when a run is over is of no interest.
  for (const socket of [client, sender]) socket.on('error', () => undefined).destroy();
  await close();
}

async function send(sender: Duplex, milliseconds: number): Promise<void> {
  const chunk = Buffer.alloc(chunkSize, 'x');
  const until = performance.now() + milliseconds;
  while (performance.now() < until) {
    if (!sender.write(chunk)) await once(sender, 'drain');
  }
}

interface Measured {
  /** MiB in a second of the clock. */
  readonly speed: number;
  /** Nanoseconds of processor time, of all threads, for a KiB sent and received: other programs disturb it less. */
  readonly cost: number;
}

async function measure(contender: Contender, pki: Pki, receiving: Receiving): Promise<Measured> {
  let received = 0;
  await using stream = await contender.open(pki, receiving, bytes => {
    received += bytes;
  });
  await send(stream.sender, warmUp);
  const [start, cpu, before] = [performance.now(), process.cpuUsage(), received];
  await send(stream.sender, duration);
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const bytes = received - before;
  check(bytes > 0, `${contender.name} to receive anything`);
  return { speed: bytes / mebibyte / seconds, cost: ((user + system) * 1000) / (bytes / 1024) };
}

interface Comparison {
  readonly ours: readonly Measured[];
  readonly theirs: readonly Measured[];
}

async function compare(pki: Pki, receiving: Receiving, rounds: number, onRound: () => void): Promise<Comparison> {
  const [ours, theirs]: [Measured[], Measured[]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    // Who goes first takes turns as well.
    const order = round % 2 === 0 ? [systemTls, nodeTls] : [nodeTls, systemTls];
    for (const contender of order) {
      (contender === systemTls ? ours : theirs).push(await measure(contender, pki, receiving));
      onRound();
    }
  }
  return { ours, theirs };
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const median = (values: readonly number[]): number => sorted(values)[Math.floor(values.length / 2)] ?? 0;

function figures(runs: readonly Measured[]): string {
  const speed = median(runs.map(run => run.speed)).toFixed(0);
  const cost = median(runs.map(run => run.cost)).toFixed(0);
  return `${speed.padStart(6)} MiB/s ${cost.padStart(6)} ns of CPU a KiB`;
}

/** Of each round by itself. Above 1, system-tls is the better one. */
function ratio(ratios: readonly number[]): string {
  const [lowest = 0, highest = 0] = [sorted(ratios)[0], sorted(ratios).at(-1)];
  return `${median(ratios).toFixed(2).padStart(6)} (${lowest.toFixed(2)} to ${highest.toFixed(2)} in ${ratios.length} rounds)`;
}

function show(report: Report, receiving: Receiving, { ours, theirs }: Comparison): void {
  const pairs = ours.map((run, round) => [run, theirs[round] ?? run] as const);
  report.passed(`write() to ${receiving}`, `${chunkSize / 1024} KiB chunks, ${common.ciphers}`);
  report.figure(systemTls.name, figures(ours));
  report.figure(nodeTls.name, figures(theirs));
  report.figure('times as fast', ratio(pairs.map(([own, other]) => own.speed / other.speed)));
  report.figure('bytes for the same CPU', ratio(pairs.map(([own, other]) => other.cost / own.cost)));
}

/** Each contender is measured in `rounds`, in either way of receiving. */
export async function showThroughput(report: Report, pki: Pki, rounds: number): Promise<void> {
  report.heading('Throughput beside node:tls');
  report.detail('both ends in one thread, one connection; each figure is sending and receiving together');
  for (const receiving of ["'data' events", 'onread buffer'] as const) {
    let done = 0;
    const comparison = await compare(pki, receiving, rounds, () => report.progress(receiving, ++done / (2 * rounds)));
    show(report, receiving, comparison);
  }
}
