// The sources of the addon that a change concerns: those that changed themselves, and of those that include a changed header as
// many as tell what is wrong with it.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root } from './run.mjs';
import { filesBelow } from './stamps.mjs';

/** How many sources speak for a header: some are included by nearly all. */
const mostForHeader = 4;

/** How far back a change goes if CI_BASE does not say where it began. */
const commits = 20;

/**
 * What a file includes, as paths from the repository.
 * @param {string} text
 */
export const includedFiles = text =>
  [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]*"([^"]+)"/gm)].map(([, file]) => `native/${file}`);

/**
 * The sources that speak for a header: its own, then those that include it, directly if there are any.
 * @param {string} header
 * @param {Map<string, string[]>} includes  of each file below native/
 */
function spokesmen(header, includes) {
  const own = header.replace(/\.h$/, '.cc');
  const seen = new Set([header]);
  let level = [header];
  while (level.length > 0) {
    const next = [...includes].filter(([file, list]) => !seen.has(file) && list.some(one => level.includes(one)));
    const sources = next.map(([file]) => file).filter(file => file.endsWith('.cc'));
    if (sources.length > 0) {
      const others = sources.filter(file => file !== own);
      return [...(includes.has(own) ? [own] : []), ...others].slice(0, mostForHeader);
    }
    level = next.map(([file]) => file);
    for (const file of level) seen.add(file);
  }
  return includes.has(own) ? [own] : [];
}

/**
 * @param {string[]} changed
 * @param {Map<string, string[]>} includes  of each file below native/
 * @returns {string[]} sorted
 */
export function concernedSources(changed, includes) {
  const concerned = new Set(
    changed.flatMap(file => {
      if (!includes.has(file)) return [];
      return file.endsWith('.h') ? spokesmen(file, includes) : [file];
    }),
  );
  return [...concerned].sort();
}

/**
 * The files of a diff in which more than the place of includes has changed: whoever was only moved, or follows others that
 * were, has been looked at where it was.
 * @param {string} diff  of `git diff -M --unified=0`
 * @returns {string[]}  by their new names
 */
export function changedFiles(diff) {
  const files = diff.split(/^diff --git /m).slice(1);
  return files.flatMap(text => {
    const name = text.match(/^\+\+\+ b\/(.+)$/m)?.[1];
    const lines = text.split('\n').filter(line => /^[+-](?![+-]{2} )/.test(line));
    const counts = lines.some(line => line.slice(1).trim() !== '' && !/^[+-]\s*#\s*include\b/.test(line));
    return name !== undefined && counts ? [name] : [];
  });
}

/** @param {string[]} args */
const git = args =>
  execFileSync('git', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 256 * 1024 * 1024,
  });

/** Where the change began. @param {NodeJS.ProcessEnv} env */
function base(env) {
  const named = env.CI_BASE || `HEAD~${commits}`;
  try {
    return git(['rev-parse', '--verify', '--quiet', `${named}^{commit}`]).trim();
  } catch {
    console.log(`${named} is no commit here: everything is taken for changed`);
    return undefined;
  }
}

/**
 * The sources that are concerned by what changed since CI_BASE, or else in the last commits. Undefined: all.
 * @param {NodeJS.ProcessEnv} [env]
 */
export function sourcesOfChange(env = process.env) {
  const from = base(env);
  if (from === undefined) return undefined;
  const changed = changedFiles(git(['diff', '-M', '--unified=0', '--no-color', from, '--', 'native', '.clang-tidy']));
  if (changed.includes('.clang-tidy')) return undefined;
  const files = filesBelow(['native']).filter(file => /\.(h|cc)$/.test(file) && !file.startsWith('native/test/'));
  const includes = new Map(files.map(file => [file, includedFiles(readFileSync(path.join(root, file), 'utf8'))]));
  return concernedSources(changed, includes);
}
