// What the HTTP jobs of the benchmark rely on: processors, what h2load prints, and targets that speak of jobs that there are.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFolder } from '../../support/child.ts';

const load = (file: string): Promise<unknown> => import(pathToFileURL(join(packageFolder, 'bench/harness', file)).href);

interface Contestant {
  readonly peer: string;
  readonly api?: string;
}
interface Target {
  readonly job: string;
  readonly ours: string;
  readonly theirs: string;
}
interface Judged extends Target {
  readonly met: boolean;
}
type Results = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number[]>>>>>>;

const { place } = (await load('processors.mjs')) as {
  place(processors: readonly number[], threads: number): { load: string; measured: string } | undefined;
};
const { spoken, latencies } = (await load('h2load.mjs')) as {
  spoken(output: string): Readonly<Record<string, string>>;
  latencies(log: string, from: number, to: number): { requests: number; p50: number; p99: number };
};
const { jobs, label } = (await load('jobs.mjs')) as {
  readonly jobs: readonly { readonly name: string; readonly contestants: readonly Contestant[] }[];
  label(contestant: Contestant): string;
};
const { targets, judge } = (await load('targets.mjs')) as {
  readonly targets: readonly Target[];
  judge(results: Results): Judged[];
};

describe('Processors of the HTTP jobs', () => {
  it('are shared where there are two, so that a second measured thread has one', () => {
    assert.deepEqual(place([0, 1], 1), { load: '1', measured: '0,1' });
  });

  it('are apart where there are more, and two are left for who is measured', () => {
    assert.deepEqual(place([0, 1, 2], 1), { load: '2', measured: '0,1' });
    assert.deepEqual(place([2, 3, 6, 7], 2), { load: '6,7', measured: '2,3' });
    assert.deepEqual(place([0, 1, 2, 3], 8), { load: '2,3', measured: '0,1' });
  });

  it('are left to the scheduler where there is one', () => {
    assert.equal(place([0], 1), undefined);
    assert.equal(place([], 1), undefined);
  });
});

const printed = (failed: number) => `TLS Protocol: TLSv1.3
Cipher: TLS_AES_128_GCM_SHA256
Server Temp Key: X25519 253 bits
Application protocol: h2
requests: 10 total, 10 started, 10 done, ${10 - failed} succeeded, ${failed} failed, 0 errored, 0 timeout
`;

describe('What h2load prints', () => {
  it('says what was agreed on', () => {
    assert.deepEqual(spoken(printed(0)), {
      version: 'TLSv1.3',
      cipher: 'TLS_AES_128_GCM_SHA256',
      group: 'X25519',
      protocol: 'h2',
    });
  });

  it('is an error if a request failed, or if it is nothing', () => {
    assert.throws(() => spoken(printed(3)), /3 failed, 0 errored/);
    assert.throws(() => spoken('usage'), /\? failed/);
  });

  it('has the latencies of what ended while it was counted', () => {
    const lines = [
      [900, 200, 50], // over before
      [990, 200, 20],
      [1000, 200, 40],
      [1010, 500, 1], // no answer to count
      [1050, 200, 30],
      [1090, 200, 20], // not over yet
    ];
    const log = lines.map(line => line.join('\t')).join('\n');
    assert.deepEqual(latencies(log, 1000, 1100), { requests: 3, p50: 30_000, p99: 40_000 });
    assert.equal(latencies(log, 5000, 6000).requests, 0);
  });
});

describe('Targets of the benchmark', () => {
  it('speak of contestants of jobs that there are', () => {
    const known = new Map(jobs.map(({ name, contestants }) => [name, contestants.map(label)]));
    assert.ok(
      targets.some(({ job }) => job.startsWith('http ')) && targets.some(({ job }) => job.startsWith('http2 ')),
    );
    for (const { job, ours, theirs } of targets) {
      for (const name of [ours, theirs]) assert.ok(known.get(job)?.includes(name), `${job}: ${name}`);
    }
  });

  it('are met by the median of the ratios of each round, and missed above', () => {
    const job = 'http keep-alive 64 x 1 KiB';
    const verdict = (main: number[], requests: number[]): boolean[] =>
      judge({
        [job]: {
          'system-tls-threads': { cpuMain: main, perSecond: requests },
          'nginx-front': { cpuMain: [10, 20, 10], perSecond: [100, 100, 100] },
        },
      }).map(({ met }) => met);
    assert.deepEqual(verdict([4, 9, 9], [170, 200, 100]), [true, true]);
    assert.deepEqual(verdict([4, 10, 9], [169, 200, 100]), [false, false]);
  });
});
