// The processes of mocha in which `npm test` runs: nothing that goes wrong in one may be lost, nor any file.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { folderOf, runJob } from '#scripts/side-by-side.mjs';
import { plan, quick, slowFolders, testFiles } from '#scripts/suites.mjs';

describe('the plan of the test run', () => {
  const files = testFiles(['test']);
  const jobs = plan(files);
  const filesOf = (threads: boolean) =>
    [...jobs.beside, ...jobs.alone].filter(job => job.threads === threads).flatMap(job => job.files);

  it('has every file once on the loop, and what uses sockets once on I/O threads', () => {
    assert.deepEqual(filesOf(false).sort(), files);
    assert.deepEqual(filesOf(true).sort(), testFiles(['test/slow-sockets', 'test/sockets']));
    assert.ok(files.length > 60 && filesOf(true).length > 15, 'the search finds what there is');
  });

  it('takes a file in a folder that it does not know, or in none', () => {
    const { beside } = plan(['test/new/folder/a.test.ts', 'test/a.test.ts', 'test/sockets/folder/b.test.ts']);
    assert.deepEqual(
      beside.map(({ files, threads }) => [files, threads]),
      [
        [['test/sockets/folder/b.test.ts'], true],
        [['test/sockets/folder/b.test.ts'], false],
        [['test/new/folder/a.test.ts', 'test/a.test.ts'], false],
      ],
    );
  });

  it('keeps apart what has to be alone', () => {
    const { beside, alone } = plan(['test/alone/x/a.test.ts', 'test/alone/x/b.test.ts', 'test/quick/x/c.test.ts']);
    assert.deepEqual(
      [beside, alone].map(list => list.map(job => job.files.length)),
      [[1], [1, 1]],
    );
  });

  it('starts with what takes long', () => {
    assert.match(jobs.beside[0]?.files[0] ?? '', /^test\/slow\//);
    assert.match(plan(quick(files)).beside[0]?.files[0] ?? '', /^test\/long\//);
  });

  it('leaves out what is slow, and only that, unless it is asked for', () => {
    assert.deepEqual([...quick(files), ...testFiles(slowFolders)].sort(), files);
  });

  it('has folders by their names, and takes no other word for one', () => {
    for (const arg of ['test/sockets', 'test/sockets/', './test/sockets']) assert.equal(folderOf(arg), 'test/sockets');
    assert.equal(folderOf('test/'), 'test');
    for (const arg of ['test', '-g', 'sockets', 'test/absent', 'test/sockets/stream/http.test.ts', 'scripts/']) {
      assert.equal(folderOf(arg), undefined, arg);
    }
  });

  it('is empty without files', () => assert.deepEqual(plan([]), { beside: [], alone: [] }));
});

describe('a process of the test run', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'side-by-side-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  function outcome(code: string, threads = false) {
    const file = path.join(folder, 'some.test.mjs');
    writeFileSync(file, code);
    return runJob({ title: 'some', files: [file], threads }, folder, {});
  }

  it('has its counts and what it printed', async () => {
    const { end, counts, output } = await outcome(`
      it('is good', () => console.log('printed here'));
      it('is skipped', function () { this.skip(); });
      it('is bad', () => { throw new Error('on purpose'); });`);
    assert.deepEqual(counts, { passed: 1, failed: 1, skipped: 1 });
    assert.equal(end, 1);
    for (const text of ['printed here', '✔ is good', 'Error: on purpose']) assert.ok(output.includes(text), output);
  });

  it('is told to use I/O threads', async () => {
    const code = `it('threads', () => { if (process.env.SYSTEM_TLS_TEST_IO !== 'threads') throw new Error('not told'); });`;
    assert.equal((await outcome(code, true)).counts.passed, 1);
  });

  const broken: [string, string, RegExp][] = [
    [
      'ends in the middle with code 0',
      `it('first', () => {}); it('ends', () => process.exit(0)); it('never', () => {});`,
      /✔ first[\s\S]*mocha ended with code 0 before it had counted$/,
    ],
    [
      'is ended by a signal',
      `it('first', () => {}); it('dies', () => process.kill(process.pid, 'SIGKILL'));`,
      /✔ first[\s\S]*mocha ended with code SIGKILL before it had counted$/,
    ],
    ['cannot be loaded', `import './absent.mjs';`, /ERR_MODULE_NOT_FOUND[\s\S]*before it had counted$/],
    [
      'ends badly behind its tests',
      `it('first', () => {}); process.on('exit', () => { process.exitCode = 7; process.reallyExit(7); });`,
      /every test passed, yet mocha ended with code 7$/,
    ],
    [
      'has a hook that fails',
      `describe('some', () => { before(() => { throw new Error('hook'); }); it('one', () => {}); it('two', () => {}); });`,
      /not run, since a failure ended the run: 2 tests/,
    ],
  ];
  for (const [what, code, said] of broken) {
    it(`that ${what} is a failure, and says so`, async () => {
      const { counts, output } = await outcome(code);
      assert.equal(counts.failed, 1);
      assert.match(output, said);
    });
  }

  it('is over when it ends, though a program that it left behind holds its output', async () => {
    const { counts, output } = await outcome(`
      import { spawn } from 'node:child_process';
      it('leaves one', () => {
        const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 600000)'], { detached: true, stdio: 'inherit' });
        child.unref();
        console.log('left', child.pid, 'behind');
      });`);
    const pid = Number(/left (\d+) behind/.exec(output)?.[1]);
    process.kill(pid, 'SIGKILL');
    assert.equal(counts.passed, 1);
  });
});
