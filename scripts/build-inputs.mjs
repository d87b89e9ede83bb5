// Prints one input of a build, one item a line (items separated by ';' with --cmake): what binding.gyp and
// CMakeLists.txt have in common.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { defines, findOpenssl, includeFlags, linkFlags, thisMachine } from './find-openssl.mjs';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** @returns {Record<string, string[]>} */
export function sourcesByLayer() {
  return JSON.parse(readFileSync(path.join(root, 'native/sources.json'), 'utf8'));
}

function openssl() {
  const found = findOpenssl(thisMachine());
  if (!found) {
    console.error('system-tls: no OpenSSL 3 headers found; see CONTRIBUTING.md');
    process.exit(1);
  }
  return found;
}

/** @type {Record<string, () => string[]>} */
const inputs = {
  sources: () => Object.values(sourcesByLayer()).flat(),
  'core-sources': () => ['openssl', 'engine', 'io'].flatMap(layer => sourcesByLayer()[layer] ?? []),
  'openssl-include-flags': () => includeFlags(openssl()),
  'openssl-link-flags': () => linkFlags(openssl()),
  'openssl-defines': () => defines(openssl()),
  'napi-include': () => {
    const addonApi = createRequire(import.meta.url).resolve('node-addon-api/package.json');
    return [path.dirname(addonApi)];
  },
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', format] = process.argv.slice(2);
  const input = inputs[name];
  if (!input) {
    console.error(`usage: node scripts/build-inputs.mjs <${Object.keys(inputs).join('|')}> [--cmake]`);
    process.exit(2);
  }
  console.log(input().join(format === '--cmake' ? ';' : '\n'));
}
