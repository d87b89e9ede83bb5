// What runs libraries over this package: when a run counts as good, and what the lock may name.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { complaintOf, doneIn } from '#scripts/libraries/judgement.mjs';
import { type WayName, wayNames } from '#scripts/libraries/ways.mjs';
import { packageFolder } from '../../support/child.ts';

const none = { ours: 0, onThreads: 0, nodes: 0, requests: 0, answers: 0 };
const counts = {
  node: { ...none, nodes: 2 },
  flag: { ...none, ours: 2 },
  thread: { ...none, ours: 2, onThreads: 2 },
  import: { ...none, ours: 2 },
};
const good = { end: 'code 0', output: 'a line\ndone: all of it\n' };

describe('npm run test:libraries', () => {
  it('takes a run for good whose sockets are those of its way', () => {
    for (const way of wayNames) assert.equal(complaintOf({}, way, { ...good, seen: counts[way] }), undefined, way);
  });

  it('complains of sockets of the other side, of both, and of none', () => {
    const wrong: [WayName, typeof none][] = [
      ['node', counts.flag],
      ['flag', counts.node],
      ['flag', counts.thread],
      ['thread', counts.flag],
      ['thread', { ...counts.thread, onThreads: 1 }],
      ['import', counts.node],
      ...wayNames.flatMap((way): [WayName, typeof none][] => [
        [way, none],
        [way, { ...none, ours: 2, onThreads: way === 'thread' ? 2 : 0, nodes: 1 }],
      ]),
    ];
    for (const [way, seen] of wrong) assert.match(complaintOf({}, way, { ...good, seen }) ?? '', /wrong sockets/, way);
  });

  it('complains of an application that fails, or ends before it is done', () => {
    const seen = counts.flag;
    for (const end of ['code 1', 'SIGSEGV', 'not over after 60 s']) {
      assert.equal(complaintOf({}, 'flag', { ...good, end, seen }), end);
    }
    assert.match(complaintOf({}, 'flag', { ...good, output: 'not done: x', seen }) ?? '', /before it was done/);
    assert.equal(doneIn(good.output), 'all of it');
  });

  it('complains of requests that were begun and not answered', () => {
    const of = (requests: number, answers: number): string | undefined =>
      complaintOf({ answersAll: true }, 'flag', { ...good, seen: { ...counts.flag, requests, answers } });
    assert.equal(of(3, 3), undefined);
    assert.equal(of(3, 2), '3 requests were begun, 2 answered');
    assert.equal(of(0, 0), '0 requests were begun, 0 answered');
  });

  it('has libraries of exact versions, and no place in the lock from which they came', () => {
    const read = (name: string) => JSON.parse(readFileSync(join(packageFolder, 'test/libraries', name), 'utf8'));
    for (const version of Object.values(read('package.json').devDependencies)) assert.match(String(version), /^\d/);
    for (const [name, each] of Object.entries(read('package-lock.json').packages)) {
      assert.equal((each as { resolved?: string }).resolved, undefined, name);
    }
  });
});
