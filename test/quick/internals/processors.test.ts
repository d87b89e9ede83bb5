// How many processors the process may keep busy, out of what the kernel shows of control groups.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { processorsAtHand, quotaOfGroups } from '#dist/base/processors.js';

const version2 = '29 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate';
const version1 = '33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct';
const memory = '34 32 0:30 / /sys/fs/cgroup/memory rw,nosuid shared:10 - cgroup cgroup rw,memory';

type Files = Readonly<Record<string, string | undefined>>;

const quota = (mountinfo: string, cgroup: string, files: Files): number => {
  const all: Files = { '/proc/self/mountinfo': `23 1 8:1 / / rw - ext4 /dev/sda1 rw\n${mountinfo}\n`, ...files };
  return quotaOfGroups(path => ({ '/proc/self/cgroup': cgroup, ...all })[path]);
};

const max = (text: string | undefined): number => quota(version2, '0::/a\n', { '/sys/fs/cgroup/a/cpu.max': text });

describe('processors at hand', () => {
  it('by cpu.max of the own group', () => {
    assert.equal(max('50000 100000\n'), 0.5);
    assert.equal(max('400000 100000\n'), 4);
    assert.equal(max('150000 50000'), 3);
    assert.equal(max('max 100000\n'), Number.POSITIVE_INFINITY);
  });

  it('whatever cannot be understood or read is no limit', () => {
    const texts = [
      '',
      '\n',
      'max',
      '100000',
      '100000 0',
      '0 0',
      '0 100000',
      '-1 100000',
      '1e5 100000',
      'a b',
      '☃',
      'NaN 1',
    ];
    for (const text of [undefined, ...texts]) assert.equal(max(text), Number.POSITIVE_INFINITY, text);
    assert.equal(
      quotaOfGroups(() => undefined),
      Number.POSITIVE_INFINITY,
    );
    assert.equal(
      quotaOfGroups(() => 'nonsense\n\n - \n::: a'),
      Number.POSITIVE_INFINITY,
    );
    assert.equal(quota('29 23 - cgroup2', '0::/a', { 'cpu.max': '1 1' }), Number.POSITIVE_INFINITY);
    assert.equal(quota(version2, 'nonsense', { '/sys/fs/cgroup/cpu.max': '1 2' }), Number.POSITIVE_INFINITY);
  });

  it('by the least of the groups above, up to what is mounted, and of no other', () => {
    const files = {
      '/sys/fs/cgroup/a/b/c/cpu.max': '800000 100000',
      '/sys/fs/cgroup/a/b/cpu.max': 'max 100000',
      '/sys/fs/cgroup/a/cpu.max': '300000 100000',
      '/sys/fs/cgroup/other/cpu.max': '10000 100000',
      '/sys/fs/cpu.max': '10000 100000',
      '/sys/fs/cgroup/a/b/c/d/cpu.max': '10000 100000',
    };
    assert.equal(quota(version2, '0::/a/b/c', files), 3);
    assert.equal(quota(version2, '0::/a/b/c', { ...files, '/sys/fs/cgroup/cpu.max': '200000 100000' }), 2);
  });

  it('where a container sees a part of the hierarchy', () => {
    const mounted = version2.replace(' / /sys', ' /pod/mine /sys');
    const files = { '/sys/fs/cgroup/cpu.max': '200000 100000', '/sys/fs/cgroup/in/cpu.max': '100000 100000' };
    assert.equal(quota(mounted, '0::/pod/mine', files), 2);
    assert.equal(quota(mounted, '0::/pod/mine/in', files), 1);
    assert.equal(quota(mounted, '0::/pod/others/in', files), 2);
    assert.equal(quota(version2, '0::/../../others', files), 2);
    const named = version2.replace('/sys/fs/cgroup', '/mnt/control\\040groups');
    assert.equal(quota(named, '0::/a:b', { '/mnt/control groups/a:b/cpu.max': '50000 100000' }), 0.5);
  });

  it('a group outside of the namespace is none of those that can be seen', () => {
    const files = { '/sys/fs/cgroup/x/cpu.max': '100000 100000', '/sys/fs/cgroup/cpu.max': '500000 100000' };
    assert.equal(quota(version2, '0::/../x\n', files), 5);
    assert.equal(quota(version2, '0::/x\n', files), 1);
  });

  it('by cfs_quota of version 1, also beside version 2', () => {
    const folder = '/sys/fs/cgroup/cpu,cpuacct/a';
    const of = (time: string | undefined, period: string | undefined): number =>
      quota(`${memory}\n${version1}\n${version2}`, '5:memory:/m\n4:cpu,cpuacct:/a\n0::/', {
        [`${folder}/cpu.cfs_quota_us`]: time,
        [`${folder}/cpu.cfs_period_us`]: period,
        '/sys/fs/cgroup/memory/m/cpu.cfs_quota_us': '1',
        '/sys/fs/cgroup/memory/m/cpu.cfs_period_us': '1000',
      });
    assert.equal(of('250000\n', '100000\n'), 2.5);
    for (const [time, period] of [
      ['-1\n', '100000\n'],
      ['100000', undefined],
      [undefined, '100000'],
      ['', ''],
      ['a lot', '100000'],
    ] as const)
      assert.equal(of(time, period), Number.POSITIVE_INFINITY, `${time} ${period}`);
  });

  it('at least one, whole ones alone, and no more than affinity allows', () => {
    const limited =
      (text: string) =>
      (path: string): string | undefined =>
        ({ '/proc/self/mountinfo': version2, '/proc/self/cgroup': '0::/', '/sys/fs/cgroup/cpu.max': text })[path];
    assert.equal(processorsAtHand(limited('50000 100000')), 1);
    assert.equal(processorsAtHand(limited('199999 100000')), 1);
    assert.equal(processorsAtHand(limited('99999900000 100000')), availableParallelism());
    assert.equal(
      processorsAtHand(() => undefined),
      availableParallelism(),
    );
  });

  it('on this machine', () => {
    const here = processorsAtHand();
    assert.ok(Number.isInteger(here) && here >= 1 && here <= availableParallelism(), String(here));
    assert.equal(
      here,
      processorsAtHand(path => {
        try {
          return readFileSync(path, 'utf8');
        } catch {
          return undefined;
        }
      }),
    );
  });
});
