// Node's own tests: where they come from, and which there are.

import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { aptOf, complaint, Lacking, quietly } from '../debian.mjs';
import { Stop } from '../run.mjs';

/** Of Debian, whose package nodejs has Node 20.19. */
const release = 'trixie';
const parts = ['common', 'fixtures', 'parallel'];

/** The newest version of the sources in a folder. @param {string} folder */
const unpackedIn = folder =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter(name => /^node-v\d+\.\d+\.\d+$/.test(name))
        .sort((one, other) => one.localeCompare(other, 'en', { numeric: true }))
        .at(-1)
    : undefined;

/** @param {string} work  an empty folder @returns the archive */
function download(work) {
  const apt = aptOf(release, work, 'deb-src');
  apt('update');
  /** @type {unknown} */
  let failure;
  try {
    apt('source', '--download-only', 'nodejs');
  } catch (error) {
    // A mirror may lack the description of the newest package, and still have Node's sources, which are all that is needed. apt
    // compares them with the signed index.
    failure = error;
  }
  const archive = readdirSync(work).find(name => /^nodejs_[^-]*\.orig\.tar\.\w+$/.test(name));
  if (archive === undefined) throw failure ?? new Error('no archive came');
  return path.join(work, archive);
}

/**
 * The folder of Node's sources, of which it has the tests alone: from Debian, unless `folder` has them.
 * @param {string} folder
 */
export function fetchSources(folder) {
  const there = unpackedIn(folder);
  if (there !== undefined) return path.join(folder, there);
  const work = path.join(folder, `work.${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const archive = download(work);
    const wanted = parts.map(part => `*/test/${part}`);
    quietly('tar', ['-xf', archive, '-C', work, '--wildcards', '--no-wildcards-match-slash', ...wanted]);
    const name = unpackedIn(work);
    if (name === undefined) throw new Error(`${path.basename(archive)} has no folder node-v...`);
    // Below a package of ES modules the tests would be such.
    writeFileSync(path.join(folder, 'package.json'), '{ "private": true, "type": "commonjs" }\n');
    const target = path.join(folder, name);
    if (!existsSync(target)) renameSync(path.join(work, name), target);
    return target;
  } catch (error) {
    if (error instanceof Lacking) throw error;
    throw new Lacking(`Node's sources cannot be had from Debian's ${release}: ${complaint(error)}`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** @param {string} name */
export const isTest = name => /^test-(tls|https|http2)-.*\.m?js$/.test(name);

/**
 * The folder and its tests.
 * @param {string} folder
 */
export function testsIn(folder) {
  const parallel = path.join(folder, 'test/parallel');
  const names = existsSync(parallel) ? readdirSync(parallel).filter(isTest).sort() : [];
  if (names.length === 0) {
    console.error(`${folder} has no test/parallel/test-tls-*.js: --node-src names the folder of Node's sources`);
    throw new Stop('no tests');
  }
  return { folder: realpathSync(folder), names };
}

/** What the files say. @param {string} folder @param {readonly string[]} names */
export function digestOf(folder, names) {
  const hash = createHash('sha256');
  for (const name of names) hash.update(`${name}\n`).update(readFileSync(path.join(folder, 'test/parallel', name)));
  return hash.digest('hex');
}
