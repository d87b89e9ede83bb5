// What readelf(1) of binutils tells of a shared object, of whatever processor.

import { execFileSync } from 'node:child_process';

/**
 * @typedef {object} Elf
 * @property {string} machine  as readelf names it
 * @property {string[]} needed
 * @property {string[]} searched  RPATH and RUNPATH
 * @property {string[]} imports  names of undefined symbols
 * @property {Record<string, string>} newest  by library's tag (GLIBC, OPENSSL, ...), the highest version that is asked for
 * @property {{ relro: boolean, bindNow: boolean, stackExecutable: boolean }} loading
 * @property {string[]} properties  of the processor: IBT, SHSTK, BTI, PAC
 */

/** @param {string} a @param {string} b */
export function compareVersions(a, b) {
  const [left, right] = [a, b].map(each => each.split('.').map(Number));
  for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at++) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** @param {string} text @param {RegExp} pattern  with a group */
const all = (text, pattern) => [...text.matchAll(pattern)].map(match => match[1] ?? '');

/** The versions that other libraries must have. @param {string} text */
function newestVersions(text) {
  /** @type {Record<string, string>} */
  const newest = {};
  const needs = text.slice(Math.max(0, text.indexOf("Version needs section '.gnu.version_r'")));
  for (const [, tag = '', version = ''] of needs.matchAll(/Name: (\w+?)_(\d[\d.]*)\b/g)) {
    const known = newest[tag];
    if (known === undefined || compareVersions(version, known) > 0) newest[tag] = version;
  }
  return newest;
}

/** @param {string} file @returns {Elf} */
export function readElf(file) {
  const text = execFileSync('readelf', ['-W', '-h', '-d', '-l', '-n', '-V', '--dyn-syms', file], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const features = /(?:x86|AArch64) feature: (.*)$/m.exec(text)?.[1] ?? '';
  return {
    machine: /^\s*Machine:\s+(.*)$/m.exec(text)?.[1] ?? '',
    needed: all(text, /\(NEEDED\)\s+Shared library: \[(.*)\]/g),
    searched: all(text, /\((?:RPATH|RUNPATH)\)\s+.*\[(.*)\]/g),
    imports: all(text, /\bUND\s+(\w+)/g),
    newest: newestVersions(text),
    loading: {
      relro: /^\s*GNU_RELRO\s/m.test(text),
      bindNow: /\(FLAGS(?:_1)?\)\s+.*\bNOW\b|BIND_NOW/.test(text),
      stackExecutable: !/^\s*GNU_STACK\s.*\sRW\s/m.test(text),
    },
    properties: features.split(/,\s*/).filter(each => each !== ''),
  };
}
