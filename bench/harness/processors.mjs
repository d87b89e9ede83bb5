// Which processors the load and the measured processes may use, in the HTTP jobs.

import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import process from 'node:process';

/** @typedef {{ load: string, measured: string }} Placement  as taskset(1) takes them */

/** Those that this process may use. @returns {number[]} */
function allowed() {
  const answer = execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8', stdio: 'pipe' });
  return answer
    .slice(answer.lastIndexOf(':') + 1)
    .trim()
    .split(',')
    .flatMap(range => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/**
 * The load has the last ones for itself, as many as it has threads, as long as two are left for who is measured.
 * @param {readonly number[]} processors
 * @param {number} threads  of the load
 * @returns {Placement | undefined}  undefined: one processor for all
 */
export function place(processors, threads) {
  if (processors.length < 2) return undefined;
  const own = Math.max(1, Math.min(threads, processors.length - 2));
  const others = processors.slice(0, -own);
  return {
    load: processors.slice(-own).join(','),
    // A measured thread beside the one of JavaScript has no other place than the load's.
    measured: (others.length === 1 ? processors : others).join(','),
  };
}

/** Undefined: the scheduler decides. @param {number} threads  of the load */
export function placement(threads) {
  if (availableParallelism() < 2) return undefined;
  try {
    return place(allowed(), threads);
  } catch {
    return undefined; // no taskset(1)
  }
}

/**
 * What to start instead of a program, so that it runs on these processors alone.
 * @param {string | undefined} processors
 * @param {string} command
 * @param {string[]} args
 * @returns {[command: string, args: string[]]}
 */
export function onProcessors(processors, command, args) {
  return processors === undefined ? [command, args] : ['taskset', ['-c', processors, command, ...args]];
}
