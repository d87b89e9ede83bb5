// How many processors the process may keep busy: by affinity, and by the quota of its control groups.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative } from 'node:path';

/** The text of a file; undefined: there is none that may be read. */
export type ReadText = (path: string) => string | undefined;

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** A mounted hierarchy of control groups: `root` of it is seen at `point`. */
interface Mount {
  readonly version: 1 | 2;
  readonly root: string;
  readonly point: string;
}

const unescaped = (field: string): string =>
  field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** A line of proc_pid_mountinfo(5): what matters has its place before the hyphen or behind it. */
function mountOf(line: string): Mount | undefined {
  const [before = '', after = ''] = line.split(' - ');
  const [, , , root = '', point = ''] = before.split(' ').map(unescaped);
  const [type, , options = ''] = after.split(' ');
  if (point === '') return undefined;
  if (type === 'cgroup2') return { version: 2, root, point };
  return type === 'cgroup' && options.split(',').includes('cpu') ? { version: 1, root, point } : undefined;
}

/** Of cgroups(7): `0::/path`, or `4:cpu,cpuacct:/path` in version 1. */
function groupOf(lines: readonly string[], version: 1 | 2): string | undefined {
  for (const line of lines) {
    const [, controllers = '', path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (version === 2 ? line.startsWith('0::') : controllers.split(',').includes('cpu')) return path;
  }
  return undefined;
}

/** From the group itself up to what is mounted. Of a group outside of it, as in some containers: what is mounted. */
function* foldersOf({ root, point }: Mount, group: string): Generator<string> {
  const inside = relative(root, group);
  // The kernel writes `/../x` for a group that is outside of the namespace (cgroup_namespaces(7)).
  const outside = inside.startsWith('..') || group.startsWith('/..');
  const parts = inside === '' || outside ? [] : inside.split('/');
  for (; parts.length > 0; parts.pop()) yield join(point, ...parts);
  yield point;
}

/** Infinity: no limit, or nothing that can be understood. */
function share(quota: string | undefined, period: string | undefined): number {
  const [time, whole] = [quota, period].map(text => (/^\d+$/.test(text ?? '') ? Number(text) : 0));
  return time && whole ? time / whole : Number.POSITIVE_INFINITY;
}

function limitOf(folder: string, version: 1 | 2, read: ReadText): number {
  if (version === 2) {
    const [quota, period] = (read(join(folder, 'cpu.max')) ?? '').trim().split(' ');
    return share(quota, period);
  }
  return share(read(join(folder, 'cpu.cfs_quota_us'))?.trim(), read(join(folder, 'cpu.cfs_period_us'))?.trim());
}

/** Processors' worth of time that the control groups of this process allow; Infinity: they say nothing. */
export function quotaOfGroups(read: ReadText = readText): number {
  const groups = (read('/proc/self/cgroup') ?? '').split('\n');
  let least = Number.POSITIVE_INFINITY;
  for (const line of (read('/proc/self/mountinfo') ?? '').split('\n')) {
    const mount = mountOf(line);
    const group = mount && groupOf(groups, mount.version);
    if (mount === undefined || group === undefined) continue;
    for (const folder of foldersOf(mount, group)) least = Math.min(least, limitOf(folder, mount.version, read));
  }
  return least;
}

/** At least 1. A part of a processor does not count: with a thread more than the quota allows, all of them are made to pause. */
export function processorsAtHand(read?: ReadText): number {
  return Math.max(1, Math.floor(Math.min(availableParallelism(), quotaOfGroups(read))));
}
