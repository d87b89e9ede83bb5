// Which test files run where, and beside what: their first folder below test/ decides. The second says what they are about.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { root } from './run.mjs';

/**
 * One process of mocha.
 * @typedef {{ title: string, files: string[], threads: boolean }} Job
 */

/**
 * @typedef {object} Kind
 * @property {string} folder  below test/
 * @property {number} together  how many files share a process
 * @property {boolean} [threads]  a second time on I/O threads
 * @property {boolean} [alone]  when everything else is over, one process after the other
 * @property {boolean} [slow]  only where it is asked for, as .ci/run does
 */

/**
 * In the order in which they start: a file that takes long must not be the one that is left at the end.
 * @type {Kind[]}
 */
const kinds = [
  { folder: 'slow', together: 1, slow: true },
  { folder: 'slow-sockets', together: 1, threads: true, slow: true },
  { folder: 'long', together: 1 },
  { folder: 'sockets', together: 4, threads: true },
  { folder: 'quick', together: 6 },
  { folder: 'alone', together: 1, alone: true },
];

/** @param {string} file  as test/sockets/stream/http.test.ts */
function kindOf(file) {
  const folder = file.split('/')[1];
  // A file in a wrong place runs nevertheless; check-includes.mjs complains of it.
  return kinds.find(kind => kind.folder === folder) ?? kinds.find(kind => kind.folder === 'quick');
}

/**
 * Every file is in exactly one part. Neighbours go to different ones: they are often of one kind, and as slow.
 * @param {string[]} files
 * @param {number} together
 */
function divide(files, together) {
  const count = Math.ceil(files.length / together);
  return Array.from({ length: count }, (_, part) => files.filter((_file, index) => index % count === part));
}

/**
 * The processes that run these files, in the order in which they start.
 * @param {string[]} files  as test/sockets/stream/http.test.ts
 * @returns {{ beside: Job[], alone: Job[] }}
 */
export function plan(files) {
  /** @type {{ beside: Job[], alone: Job[] }} */
  const jobs = { beside: [], alone: [] };
  for (const kind of kinds) {
    const parts = divide(
      files.filter(file => kindOf(file) === kind),
      kind.together,
    );
    // Threads first: they take longer.
    for (const threads of kind.threads ? [true, false] : [false]) {
      for (const part of parts) {
        const title = `${part.join(' ')}${threads ? ' on I/O threads' : ''}`;
        jobs[kind.alone ? 'alone' : 'beside'].push({ title, files: part, threads });
      }
    }
  }
  return jobs;
}

/** How tests run: their first folders. */
export const howFolders = kinds.map(kind => kind.folder);

/** What `npm test` runs by itself. @param {string[]} files */
export const quick = files => files.filter(file => !kindOf(file)?.slow);

/** The folders of the rest. */
export const slowFolders = kinds.filter(kind => kind.slow).map(kind => `test/${kind.folder}`);

/** All files of tests below these folders. @param {string[]} folders  as test/sockets */
export function testFiles(folders) {
  const all = readdirSync(path.join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .map(file => path.posix.join('test', file.replaceAll(path.sep, '/')))
    .filter(file => file.endsWith('.test.ts'));
  return all.filter(file => folders.some(folder => file.startsWith(`${folder}/`))).sort();
}
