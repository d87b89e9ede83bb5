import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needsProgram } from '../../support/capabilities.ts';

const lines = (count: number, text: string): string[] =>
  Array.from({ length: count }, (_, index) => `${text} ${index}`);

/** What .ci/excerpt takes out of a step's output. */
function excerpt(...output: (string | string[])[]): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'excerpt-'));
  try {
    const log = path.join(folder, 'log');
    writeFileSync(log, `${output.flat().join('\n')}\n`);
    const { stdout, stderr, error } = spawnSync('bash', ['.ci/excerpt', log], { encoding: 'utf8' });
    assert.equal(error, undefined);
    assert.equal(stderr, '');
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(failure: string, detail: string[] = []): string[] {
  const tests = lines(500, '    ✔ test');
  return [
    ...tests,
    '  500 passing (1m)',
    '  1 failing',
    '',
    `  1) ${failure}`,
    `     AssertionError: ${failure}`,
    ...detail,
  ];
}

describe('.ci/excerpt', () => {
  before(function () {
    needsProgram(this, 'bash');
  });

  it('has the failures of all runs of mocha and of the checks before them, and no test that passed', () => {
    const text = excerpt(
      ['checks', '    native/a.h: points upwards', '  ✘ the includes and imports point downwards'],
      run('on the loop', lines(900, '     at')),
      ['', '-- test/sockets/a.test.ts on I/O threads (1.0 s)'],
      run('on threads'),
      ['', '999 passed, 3 failed'],
    );
    for (const part of [
      'points upwards',
      '✘ the includes',
      'AssertionError: on the loop',
      'AssertionError: on threads',
    ])
      assert.ok(text.includes(part), part);
    assert.ok(text.includes('(cut here)'));
    assert.ok(!text.includes('✔ test 100'));
    assert.ok(text.endsWith('999 passed, 3 failed\n'));
  });

  const marked: [string, string[]][] = [
    ['WARNING: ThreadSanitizer: data race (pid=1)', lines(50, '    #0 frame')],
    ['==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x1', lines(50, '    #0 frame')],
    ['==1==ERROR: LeakSanitizer: detected memory leaks', lines(50, '    #0 frame')],
    ['native/io/a.cc:3:5: runtime error: signed integer overflow', []],
    ['native/io/a.cc:3:5: error: expected ‘;’', ['    3 | int a']],
    ['native/io/a.cc:3:5: fatal error: io/b.h: No such file or directory', []],
    ['collect2: error: ld returned 1 exit status', []],
    ['  FAIL a record is drawn', []],
    ['    native/test/a_test.cc:12: failed: drawn == 1', []],
    ['every test passed, yet mocha ended with code 7', []],
    ['mocha ended with code 139 before it had counted', []],
    ['mocha ended with code SIGSEGV before it had counted', []],
    ['not run, since a failure ended the run: 12 tests', []],
    ['The tests are over, but these keep the process alive: [', ["  'Timeout'", ']']],
  ];
  for (const [mark, after] of marked) {
    it(`has ${mark.trim()}, amid OpenSSL's errors in tests that passed`, () => {
      const noise = lines(300, '40E7FE8B197F0000:error:0A000410:SSL routines:ssl3_read_bytes:alert:ssl/a.c:1');
      const text = excerpt(noise, mark, after, noise, lines(900, '    ✔ test'), '900 passed, 1 failed');
      for (const line of [mark, ...after]) assert.ok(text.includes(`${line}\n`), line);
      assert.ok(text.split('\n').length < 130);
    });
  }

  it('ends a list of mocha where the native tests begin', () => {
    const text = excerpt(
      run('on the loop'),
      lines(60, '  ok   a record'),
      '60 passed, 0 failed',
      '560 passed, 1 failed',
    );
    assert.ok(text.includes('AssertionError: on the loop'));
    assert.ok(!text.includes('a record 20\n'));
  });

  it('hides no kind behind many of another', () => {
    const errors = lines(1000, 'native/a.cc:1:2: error: wrong');
    const text = excerpt(errors, '  ✘ clang-tidy', errors, 'WARNING: ThreadSanitizer: data race', '0 passed, 1 failed');
    assert.ok(text.includes('✘ clang-tidy'));
    assert.ok(text.includes('data race'));
  });

  it('has the last lines where nothing is marked, whatever bytes there are', () => {
    const text = excerpt('\0\x80', lines(100, 'line'));
    assert.ok(text.endsWith('line 98\nline 99\n'));
    assert.ok(!text.includes('line 50'));
    assert.ok(excerpt('\0', '  FAIL amid zeros', lines(100, 'line')).includes('FAIL amid zeros'));
  });
});
