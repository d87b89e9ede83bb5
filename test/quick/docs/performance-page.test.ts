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
  readRuns(): Run[];
  resultTables(runs: readonly Run[]): string;
  withTables(text: string, between: string): string;
}

const { readRuns, resultTables, withTables } = (await import(
  pathToFileURL(join(packageFolder, 'bench/harness/page.mjs')).href
)) as Page;

const run = (file: string, openssl: string, results: Run['results']): Run => ({
  file,
  date: file.slice(0, 10),
  machine: { cpu: 'CPU', cores: 2, node: 'v20', loadAverage: 0 },
  libraries: { 'system-tls': openssl, node: '3.0.19' },
  settings: { rounds: 3, seconds: 1 },
  results,
});

const rows = (text: string): string[] => text.split('\n').filter(line => /^\| .*\d/.test(line));

describe('docs/performance.md', () => {
  it('has the tables of the committed results', () => {
    const now = readFileSync(join(packageFolder, 'docs/performance.md'), 'utf8');
    assert.equal(withTables(now, resultTables(readRuns())), now, 'npm run bench -- --page writes them');
  });

  it('refuses a page without a place for them', () => {
    assert.throws(() => withTables('# Title\n', 'tables'), /no lines/);
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
    const https = { 'https 64 x 1 KiB': { 'system-tls': { cpu: [40] } } };
    const text = resultTables([
      run('2026-01-01', '3.0.19', { ...idle(1), ...https }),
      run('2026-01-02', '3.0.20', idle(2)),
      run('2026-01-01-openssl-3.5.7', '3.5.7', idle(3)),
    ]);
    assert.deepEqual(
      rows(text).map(line => line.split(' | ').slice(0, 2)),
      [
        ['| memory of an idle connection, KiB', '2.00'],
        ['| memory of an idle connection, KiB', '3.00'],
        ['| HTTPS, 64 connections, 1 KiB: CPU, us a request', '40.0'],
      ],
    );
    assert.deepEqual(
      [...text.matchAll(/results\/(\S+)\.json/g)].map(([, file]) => file),
      ['2026-01-02', '2026-01-01-openssl-3.5.7', '2026-01-01'],
    );
  });
});
