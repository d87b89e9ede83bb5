// What a product was made of, so that a second run makes nothing that is current. Contents count, not times: a fresh
// clone and a switched branch have new times for old contents.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { root } from './run.mjs';

const folder = path.join(root, '.cache/stamps');

/**
 * All files below these, in a fixed order.
 * @param {string[]} paths  relative to the repository; absent ones are skipped
 * @returns {string[]}
 */
export function filesBelow(paths) {
  return paths.flatMap(relative => {
    const full = path.join(root, relative);
    if (!existsSync(full)) return [];
    if (!statSync(full).isDirectory()) return [relative];
    return filesBelow(
      readdirSync(full)
        .sort()
        .map(name => path.posix.join(relative, name)),
    );
  });
}

/**
 * @param {string[]} paths  files and folders, relative to the repository
 * @param {unknown} [others]  whatever else the product depends on
 */
export function fingerprint(paths, others = null) {
  const hash = createHash('sha256').update(JSON.stringify(others));
  for (const file of filesBelow(paths)) {
    const content = readFileSync(path.join(root, file));
    hash.update(`\0${file}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/**
 * @param {string} product
 * @param {string} print
 * @param {string} output  a file that must be there, relative to the repository
 */
export function isCurrent(product, print, output) {
  const stamp = path.join(folder, product);
  return existsSync(path.join(root, output)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === print;
}

/**
 * @param {string} product
 * @param {string} print
 */
export function remember(product, print) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, product), print);
}
