// The file that would be published.

import { readdirSync } from 'node:fs';
import path from 'node:path';
import { npm, Stop } from './run.mjs';

/**
 * Needs the binaries of `npm run prebuild`. Returns the path of the file.
 * @param {string} folder
 */
export function pack(folder) {
  if (npm(['pack', '--pack-destination', folder], { quiet: true }) !== 0) throw new Stop('npm pack failed');
  const tarball = readdirSync(folder).find(file => file.endsWith('.tgz'));
  if (!tarball) throw new Stop('npm pack made no file');
  return path.join(folder, tarball);
}
