// The run of Node's own tests: which count, what is expected, and what one process comes to.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expectedFailures, expectedOn } from '#scripts/node-suite/expected-failures.mjs';
import {
  counts,
  howOften,
  named,
  shuffled,
  verdictOf,
  versionsFrom,
  wantsMore,
} from '#scripts/node-suite/judgement.mjs';
import { flagsOf, type Outcome, outcomeOf, type Result, Runner } from '#scripts/node-suite/processes.mjs';
import { isTest } from '#scripts/node-suite/sources.mjs';

const ended = (...results: Result[]): Outcome[] => results.map(result => ({ result, end: '', output: '' }));
const [passed, failed, skipped, crashed] = ended('passed', 'failed', 'skipped', 'crashed') as [
  Outcome,
  Outcome,
  Outcome,
  Outcome,
];
const known = { kind: 'decision', reason: 'it is so' } as const;

describe("the judgement of Node's tests", () => {
  it('counts what node passes and nothing passes that throws', () => {
    assert.ok(counts(passed, failed) && counts(passed, crashed));
    for (const [builtin, throwing] of [
      [passed, passed],
      [failed, failed],
      [skipped, skipped],
      [crashed, failed],
    ] as const) {
      assert.equal(counts(builtin, throwing), false);
    }
  });

  it('runs what comes as expected once, and anything else three times', () => {
    const runs = (results: Result[], expected?: typeof known) => {
      let count = 0;
      while (wantsMore(ended(...results.slice(0, count)), expected)) count++;
      return count;
    };
    assert.equal(runs(['passed', 'passed', 'passed']), 1);
    assert.equal(runs(['failed', 'passed', 'passed']), 3);
    assert.equal(runs(['failed', 'failed', 'failed'], known), 1);
    assert.equal(runs(['passed', 'failed', 'passed'], known), 3);
    assert.equal(runs(['crashed'], known), 1);
    assert.equal(runs(['failed', 'crashed']), 2);
  });

  it('takes one failure for a failure, and one for enough where it is expected', () => {
    assert.equal(verdictOf(ended('passed'), undefined), 'passed');
    assert.equal(verdictOf(ended('failed', 'passed', 'passed'), undefined), 'unexpected');
    assert.equal(verdictOf(ended('skipped', 'skipped', 'skipped'), undefined), 'unexpected');
    assert.equal(verdictOf(ended('failed'), known), 'expected');
    assert.equal(verdictOf(ended('passed', 'passed', 'failed'), known), 'flaky');
    assert.equal(verdictOf(ended('passed', 'passed', 'passed'), known), 'unexpectedly passing');
    assert.equal(verdictOf(ended('passed', 'passed', 'passed'), { ...known, flaky: true }), 'flaky');
    assert.equal(howOften(ended('passed', 'passed', 'failed')), 'passes 2 of 3');
  });

  it('expects no crash', () => {
    for (const expected of [undefined, known, { ...known, flaky: true }]) {
      assert.equal(verdictOf([crashed], expected), 'crashed');
      assert.equal(verdictOf([passed, crashed], expected), 'crashed');
    }
  });

  it('has an order for each seed, with every test in it', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const [one, same, other] = ['1', '1', '2'].map(seed => shuffled(names, seed));
    assert.deepEqual(one, same);
    assert.notDeepEqual(one, other);
    assert.deepEqual(other?.toSorted(), names);
  });

  it('finds a test by its name, with or without what all names have', () => {
    const names = ['test-tls-ticket.js', 'test-tls-ticket-12.js', 'test-tls-ticket.mjs'];
    assert.deepEqual(named(names, 'tls-ticket-12'), ['test-tls-ticket-12.js']);
    assert.deepEqual(named(names, 'test-tls-ticket'), ['test-tls-ticket.js', 'test-tls-ticket.mjs']);
    assert.deepEqual(named(names, 'test-tls-ticket.js'), ['test-tls-ticket.js']);
    assert.deepEqual(named(names, 'ticket'), []);
  });
});

describe("Node's tests that are expected to fail", () => {
  it('are tests, in their order, with a reason each', () => {
    const names = Object.keys(expectedFailures);
    assert.deepEqual(names, names.toSorted());
    const entries: [string, { kind: string; reason: string }][] = Object.entries(expectedFailures);
    for (const [name, { kind, reason }] of entries) {
      assert.ok(isTest(name), name);
      assert.ok(['decision', 'internal of Node', 'another OpenSSL', 'not yet'].includes(kind), name);
      assert.match(reason, /\w.{20}/, name);
    }
  });

  it('may be so on some versions alone', () => {
    const on = (node: string, builtin: string, system: string) => versionsFrom({ node, builtin, system });
    const [old, alike, later] = [
      on('v20.20.2', '3.0.19', '3.5.9'),
      on('v20.20.2', '3.0.19', '3.0.19'),
      on('v26.12.1', '3.5.9', '3.0.19'),
    ];
    const expects = (name: string) =>
      [old, alike, later].map(versions => expectedOn(`test-tls-${name}.js`, versions) !== undefined);
    assert.deepEqual(expects('getprotocol'), [true, false, false]);
    assert.deepEqual(expects('psk-circuit'), [true, false, true]);
    assert.deepEqual(expects('empty-sni-context'), [true, true, false]);
    assert.deepEqual(expects('external-accessor'), [true, true, true]);
    assert.deepEqual(expects('no-such-test'), [false, false, false]);
  });
});

describe("a process of Node's tests", () => {
  const base = { code: 0, signal: null, late: false, output: '', seconds: 25 };

  it('has the flags of its file', () => {
    assert.deepEqual(flagsOf("// Flags: --expose-internals  --no-warnings\n'use strict';"), [
      '--expose-internals',
      '--no-warnings',
    ]);
    assert.deepEqual(flagsOf("'use strict';\nconst text = '// Flags: --x';"), []);
  });

  it('passes, skips itself, fails or crashes', () => {
    const results = [
      base,
      { ...base, output: 'x\n1..0 # Skipped: missing crypto\n' },
      { ...base, code: 1 },
      { ...base, code: null, signal: 'SIGSEGV' },
      { ...base, code: null, signal: 'SIGKILL', late: true },
    ].map(ending => outcomeOf(ending));
    assert.deepEqual(
      results.map(({ result }) => result),
      ['passed', 'skipped', 'failed', 'crashed', 'failed'],
    );
    assert.equal(results[4]?.end, 'not over after 25 s');
  });

  describe('that is run', () => {
    let sources: string;
    let runner: Runner;
    before(() => {
      sources = mkdtempSync(path.join(tmpdir(), 'sources-'));
      runner = new Runner({ sources, node: process.execPath, seconds: 20 });
    });
    after(() => {
      runner.end();
      rmSync(sources, { recursive: true });
    });

    async function run(text: string, implementation: 'builtin' | 'throwing' | 'ours' = 'builtin'): Promise<Outcome> {
      mkdirSync(path.join(sources, 'test/parallel'), { recursive: true });
      writeFileSync(path.join(sources, 'package.json'), '{ "type": "commonjs" }');
      writeFileSync(path.join(sources, 'test/parallel/test-tls-some.js'), text);
      return await runner.run('test-tls-some.js', implementation);
    }

    it('prints what is kept, and ends as it ends', async () => {
      assert.deepEqual(await run("console.log('one'); console.error('two'); process.exitCode = 3;"), {
        result: 'failed',
        end: 'code 3',
        output: 'one\ntwo\n',
      });
      assert.equal((await run("process.kill(process.pid, 'SIGSEGV');")).end, 'SIGSEGV');
    });

    it('finds what tests look for', async () => {
      const text = `const { NODE_TEST_DIR, OPENSSL_CONF, NODE_TLS_REJECT_UNAUTHORIZED } = process.env;
        const { statSync, readFileSync } = require('node:fs');
        if (!statSync(NODE_TEST_DIR).isDirectory() || !/SECLEVEL=1/.test(readFileSync(OPENSSL_CONF))) process.exit(1);
        if (NODE_TLS_REJECT_UNAUTHORIZED !== undefined || process.cwd() !== require('node:path').resolve(__dirname, '../..'))
          process.exit(2);`;
      assert.deepEqual(await run(text), { result: 'passed', end: 'code 0', output: '' });
    });

    it('has the implementation that was asked for under node:tls', async () => {
      // The class of Node's C++ has an address.
      const text = "const { context } = require('tls').createSecureContext(); console.log('_external' in context);";
      assert.equal((await run(text)).output, 'true\n');
      assert.equal((await run(text, 'ours')).output, 'false\n');
      assert.match((await run(text, 'throwing')).output, /this implementation throws/);
    });
  });
});
