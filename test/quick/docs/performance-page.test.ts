// The tables of docs/performance.md are those that the committed results in bench/results make.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageFolder } from '../../support/child.ts';

interface Run {
  readonly file: string;
  readonly date: string;
  readonly machine: {
    readonly cpu: string;
    readonly cores: number;
    readonly node: string;
    readonly loadAverage: number;
  };
  readonly libraries: Readonly<Record<string, string>>;
  readonly settings: { readonly rounds: number; readonly seconds: number };
  readonly results: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, number[]>>>>>>;
}

interface Page {
  readonly pages: readonly string[];
  readRuns(): Run[];
  resultTables(runs: readonly Run[]): string;
  withTables(page: string, text: string, runs: readonly Run[]): string;
}
interface HttpPage {
  httpTables(runs: readonly Run[]): string;
  choiceTable(runs: readonly Run[]): string;
  summary(runs: readonly Run[]): string;
  bars(runs: readonly Run[]): { name: string; main: number; others: number; front: number }[];
}

const load = (file: string): Promise<unknown> => import(pathToFileURL(join(packageFolder, 'bench/harness', file)).href);
const { pages, readRuns, resultTables, withTables } = (await load('page.mjs')) as Page;
const { httpTables, choiceTable, summary, bars } = (await load('http-page.mjs')) as HttpPage;

const run = (file: string, openssl: string, results: Run['results']): Run => ({
  file,
  date: file.slice(0, 10),
  machine: { cpu: 'CPU', cores: 2, node: 'v20', loadAverage: 0 },
  libraries: { 'system-tls': openssl, node: '3.0.19' },
  settings: { rounds: 3, seconds: 1 },
  results,
});

const rows = (text: string): string[] => text.split('\n').filter(line => /^\| .*\d/.test(line));

const read = (file: string): string => readFileSync(join(packageFolder, file), 'utf8');

describe('Pages with tables of results', () => {
  it('are the two that speak of figures', () => {
    assert.deepEqual(pages, ['docs/performance.md', 'README.md']);
  });

  for (const page of pages) {
    it(`have those of the committed results: ${page}`, () => {
      assert.equal(withTables(page, read(page), readRuns()), read(page), 'npm run bench -- --page writes them');
    });

    it(`are refused without a place for them: ${page}`, () => {
      assert.throws(() => withTables(page, '# Title\n', []), /no lines/);
    });
  }

  it('have a chart of the same figures', () => {
    const chart = read('docs/http-cpu.svg');
    const figures = bars(readRuns()).map(({ main }) => main.toPrecision(3));
    assert.equal(figures.length, 5);
    for (const figure of figures) assert.ok(chart.includes(`>${figure}</text>`), figure);
  });
});

describe('A table of results', () => {
  it('has the median of each column, and of the ratios of each round', () => {
    const idle = { 'system-tls': { kib: [20, 30, 22] }, node: { kib: [40, 50, 80] }, c: { kib: [10, 11, 12] } };
    assert.deepEqual(rows(resultTables([run('2026-01-01', '3.0.19', { 'memory 5000 idle': idle })])), [
      '| memory of an idle connection, KiB | 22.0 | 50.0 | | 11.0 | | | 0.50 |',
    ]);
  });

  it('tells the main thread of a thread from all, and sizes that are missing', () => {
    const echo = {
      'system-tls': { cpu: [14], perSecond: [70_000] },
      'system-tls-threads': { cpu: [18], cpuMain: [5], perSecond: [60_000] },
    };
    const text = resultTables([run('2026-01-01', '3.0.19', { 'echo 64 x 1 KiB': echo })]);
    assert.match(text, /^\*\*Echo\*\*, messages of 1 KiB:$/m);
    assert.deepEqual(rows(text), [
      '| 64 connections: CPU, us a request | 14.0 | | | | 5.00 | 18.0 | |',
      '| 64 connections: requests a second | 70,000 | | | | | 60,000 | |',
    ]);
  });

  it('takes each row of the newest run that has it, for each version of OpenSSL', () => {
    const idle = (kib: number): Run['results'] => ({ 'memory 5000 idle': { 'system-tls': { kib: [kib] } } });
    const update = { 'key-update alone': { 'system-tls ssl.write': { cpu: [40] } } };
    const text = resultTables([
      run('2026-01-01', '3.0.19', { ...idle(1), ...update }),
      run('2026-01-02', '3.0.20', idle(2)),
      run('2026-01-01-openssl-3.5.7', '3.5.7', idle(3)),
    ]);
    assert.deepEqual(
      rows(text).map(line => line.split(' | ').slice(0, 2)),
      [
        ['| memory of an idle connection, KiB', '2.00'],
        ['| memory of an idle connection, KiB', '3.00'],
        ['| KeyUpdate: CPU, us', '40.0'],
      ],
    );
    assert.deepEqual(
      [...text.matchAll(/results\/(\S+)\.json/g)].map(([, file]) => file),
      ['2026-01-02', '2026-01-01-openssl-3.5.7', '2026-01-01'],
    );
  });
});

const keepAlive = 'http keep-alive 64 x 1 KiB';
const measured = {
  plain: { cpuMain: [10, 12, 11], cpu: [10, 12, 11], perSecond: [50_000, 50_000, 50_000] },
  node: { cpuMain: [20, 20, 20], cpu: [21, 21, 21], perSecond: [40_000, 40_000, 40_000] },
  'system-tls': { cpuMain: [16, 16, 16], cpu: [17, 17, 17], perSecond: [45_000, 45_000, 45_000], p50: [900, 900, 900] },
  'system-tls-threads': {
    cpuMain: [4, 5, 8],
    cpu: [15, 15, 15],
    perSecond: [90_000, 90_000, 90_000],
    p50: [450, 450, 450],
  },
  'nginx-front': {
    cpuMain: [11, 11, 11],
    cpu: [30, 30, 30],
    cpuFront: [18, 18, 18],
    perSecond: [30_000, 30_000, 30_000],
  },
};

describe('Tables of HTTP', () => {
  const runs = [run('2026-01-01', '3.0.19', { [keepAlive]: measured })];

  it('have a column for each contestant that was there, main thread before all threads', () => {
    const text = httpTables(runs);
    assert.match(text, /^\| \| node:http, no TLS \| node:https \| loop \| thread \| nginx in front \|$/m);
    assert.match(
      text,
      /^\| 64 connections, 1 KiB \| 11\.0 \/ 11\.0 \| 20\.0 \/ 21\.0 \| 16\.0 \/ 17\.0 \| 5\.00 \/ 15\.0 \| 11\.0 \/ 30\.0 \|$/m,
    );
  });

  it('judge the targets by the ratios of each round', () => {
    const text = httpTables(runs);
    assert.match(text, /\| system-tls-threads \/ plain \| at most 0\.50 \| 0\.42 \(0\.40 to 0\.73\) \| met \|/);
    assert.match(text, /\| system-tls-threads \/ node \| at most 0\.36 \| 0\.25 /);
    assert.match(text, /\| system-tls \/ node \| at most 0\.85 \| 0\.81 .*\| met \|/);
  });

  it('compare a thread with the loop', () => {
    assert.match(
      choiceTable(runs),
      /^\| 64 connections, 1 KiB \| 16\.0 \| 5\.00 \| 0\.31 \| 0\.88 \| 2\.00 \| 0\.50 \|$/m,
    );
  });

  it('compare HTTP/2 by the drop-in, which is what it runs over', () => {
    const over = (main: number) => ({ cpuMain: [main], cpu: [main], perSecond: [1000], p50: [100] });
    const job = { 'http2 GET 1 KiB': { 'system-tls drop-in': over(20), 'system-tls-threads drop-in': over(10) } };
    const text = choiceTable([run('2026-01-01', '3.0.19', job)]);
    assert.match(text, /^\| HTTP\/2, GET of 1 KiB \| 20\.0 \| 10\.0 \| 0\.50 /m);
  });

  it('tell in short what a service gains', () => {
    const text = summary(runs);
    assert.match(text, /^\| `node:http`, no TLS at all \| 11\.0 \| 11\.0 \| 50,000 \| 0\.55 \|$/m);
    assert.match(text, /^\| this package, on one I\/O thread \| 5\.00 \| 15\.0 \| 90,000 \| 0\.25 \|$/m);
  });

  it('draw the time of a proxy and of other threads apart', () => {
    assert.deepEqual(
      bars(runs).map(({ main, others, front }) => [main, others, front]),
      [
        [11, 0, 0],
        [20, 1, 0],
        [16, 1, 0],
        [5, 10, 0],
        [11, 1, 18],
      ],
    );
  });

  it('take each job of the newest run that has it, and none of another OpenSSL', () => {
    const plain = (main: number) => ({ plain: { cpuMain: [main], cpu: [main] } });
    const text = httpTables([
      run('2026-01-02', '3.0.19', { [keepAlive]: plain(3) }),
      run('2026-01-01', '3.0.19', { [keepAlive]: plain(1), 'http 1 MiB up': plain(2) }),
      run('2026-01-03-openssl-3.5.7', '3.5.7', { [keepAlive]: plain(4) }),
    ]);
    assert.match(text, /^\| 64 connections, 1 KiB \| 3\.00 \/ 3\.00 \|$/m);
    assert.match(text, /^\| 1 MiB up, 8 connections \| 2\.00 \/ 2\.00 \|$/m);
    assert.deepEqual(
      [...text.matchAll(/results\/(\S+)\.json/g)].map(([, file]) => file),
      ['2026-01-02', '2026-01-01'],
    );
  });

  it('say so where nothing was measured', () => {
    for (const make of [httpTables, choiceTable, summary]) assert.match(make([]), /^Not measured yet/);
    assert.deepEqual(bars([]), []);
  });
});
