// The layers of the contract: native includes point downwards only (binding -> io -> engine -> openssl), napi.h and
// uv.h stay where they belong, a folder of lib/ imports from those before it, and no file in a circle. Tests see the package as
// its users do.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { isMain, root } from './run.mjs';
import { filesBelow } from './stamps.mjs';
import { howFolders } from './suites.mjs';

/** What lies in native/, from the lowest layer up: folders, and addon.cc. */
export const nativeLayers = ['openssl', 'engine', 'io', 'binding', 'addon'];

/** What lies in lib/. Each imports from itself and from those before it, for types too. */
export const libraryFolders = [
  'native',
  'base',
  'errors',
  'library',
  'callbacks',
  'session',
  'context',
  'transport',
  'connection',
  'filters',
  'stream',
  'endpoint',
  'dtls',
  'compat',
  'cli',
  'index.ts',
];

/** Headers of others, and the lowest layer that may have them. @type {[RegExp, string][]} */
const restricted = [
  [/^(napi|node_api|js_native_api|node_api_types|js_native_api_types)\.h$/, 'binding'],
  [/^(uv\.h|uv\/.*)$/, 'io'],
];

const NODE_INTERNALS = /^(v8.*|node(_buffer|_object_wrap)?|nan)\.h$/;

/**
 * @param {string} file  path below native/
 * @returns {string | undefined}  undefined: tests and other files outside the layers
 */
function layerOf(file) {
  if (file === 'addon.cc') return 'addon';
  const folder = file.split('/')[0] ?? '';
  return nativeLayers.includes(folder) ? folder : undefined;
}

/** With the character before the name, and the name. @param {string} text */
const includesIn = text => text.matchAll(/^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]/gm);

/**
 * The headers of ours that a C++ file includes, as paths below native/.
 * @param {string} text
 */
export function includedFiles(text) {
  return [...includesIn(text)].flatMap(([, quote, header = '']) => (quote === '"' ? header : []));
}

/**
 * What is wrong with the includes of one file.
 * @param {string} file  path below native/
 * @param {string} text
 * @returns {string[]}
 */
export function includeProblems(file, text) {
  const layer = layerOf(file);
  if (layer === undefined) return [];
  const level = nativeLayers.indexOf(layer);
  const problems = [];
  for (const [, quote, header = ''] of includesIn(text)) {
    const target = layerOf(header);
    if (quote === '"' && target !== undefined && nativeLayers.indexOf(target) > level) {
      problems.push(`native/${file}: ${layer} must not include ${header} of the layer above`);
    }
    if (quote === '"' && target === undefined) {
      problems.push(`native/${file}: "${header}" is not a path from native/ into one of the layers`);
    }
    if (NODE_INTERNALS.test(header)) problems.push(`native/${file}: ${header} is not part of Node-API`);
    for (const [pattern, lowest] of restricted) {
      if (pattern.test(header) && level < nativeLayers.indexOf(lowest)) {
        problems.push(`native/${file}: ${header} belongs to ${lowest} and above, not to ${layer}`);
      }
    }
  }
  return problems;
}

/**
 * The modules of ours that a TypeScript file names: for values, for types, to add to their declarations.
 * @param {string} file
 * @param {string} text
 * @returns {string[]}
 */
export function importedFiles(file, text) {
  const statement = /^\s*(?:(?:import|export)\s+(?:[^'";]*?\bfrom\s+)?|declare\s+module\s+)['"](\.[^'"]+)['"]/gm;
  const expression = /\bimport\s*\(\s*['"](\.[^'"]+)['"]/g;
  const targets = [...text.matchAll(statement), ...text.matchAll(expression)];
  return targets.map(([, target = '']) => path.posix.join(path.posix.dirname(file), target));
}

/**
 * What is wrong with the imports of one file of lib/.
 * @param {string} file  as lib/base/validate.ts
 * @param {string} text
 * @returns {string[]}
 */
export function importProblems(file, text) {
  const placeOf = (/** @type {string} */ name) => libraryFolders.indexOf(name.split('/')[1] ?? '');
  const place = placeOf(file);
  if (place < 0) return [`${file}: lib/ has no such folder; scripts/check-includes.mjs lists them in their order`];
  return importedFiles(file, text).flatMap(target => {
    if (target === 'types/binding.d.ts') return [];
    if (!target.startsWith('lib/')) return [`${file}: ${target} is outside of lib/`];
    return placeOf(target) > place ? [`${file}: must not import ${target}, whose folder comes later`] : [];
  });
}

/** What tests are about, beside what the folders of lib/ are: their second folders. */
const testSubjects = ['peers', 'process', 'endings', 'examples', 'docs', 'scripts', 'internals'];

/**
 * What is wrong with the place of one file of test/, or with what it imports there.
 * @param {string} file  as test/sockets/stream/http.test.ts
 * @param {string} text
 * @returns {string[]}
 */
export function testProblems(file, text) {
  const [, how = '', what = '', ...name] = file.split('/');
  const placed =
    howFolders.includes(how) &&
    (testSubjects.includes(what) || (libraryFolders.includes(what) && what !== 'index.ts')) &&
    name.length === 1;
  const problems = [];
  if (file.endsWith('.test.ts') && !placed) {
    problems.push(`${file}: is not in test/<how it runs>/<what it is about>/, see CONTRIBUTING.md`);
  }
  // Everything else can be run on an installed package.
  if (/['"`](#dist|dist)\//.test(text) && !(placed && what === 'internals')) {
    problems.push(`${file}: only tests in test/*/internals/ look into dist/`);
  }
  if (/['"]#scripts\//.test(text) && !(placed && ['scripts', 'docs'].includes(what))) {
    problems.push(`${file}: only tests in test/*/scripts/ and test/*/docs/ import scripts`);
  }
  return problems;
}

/**
 * The first circle among the imports, as a list of files that ends where it began.
 * @param {Map<string, string[]>} graph
 * @returns {string[] | undefined}
 */
export function findCircle(graph) {
  /** @type {Set<string>} */
  const done = new Set();
  /** @type {string[]} */
  const trail = [];
  /**
   * @param {string} file
   * @returns {string[] | undefined}
   */
  const visit = file => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file];
    if (done.has(file)) return undefined;
    trail.push(file);
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next);
      if (circle) return circle;
    }
    trail.pop();
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file);
    if (circle) return circle;
  }
  return undefined;
}

/**
 * @param {string} file  path from the repository
 * @param {string} text
 */
function loaderProblems(file, text) {
  if (file === 'lib/native/load-binding.ts') return [];
  return /process\.dlopen\s*\(/.test(text.replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''))
    ? [`${file}: only lib/native/load-binding.ts knows process.dlopen`]
    : [];
}

/** Prints what is wrong. */
export function checkIncludes() {
  /** @param {string} file */
  const read = file => readFileSync(path.join(root, file), 'utf8');
  const native = filesBelow(['native']).filter(file => /\.(h|cc)$/.test(file));
  const problems = native.flatMap(file => includeProblems(file.slice('native/'.length), read(file)));

  const library = filesBelow(['lib']).filter(file => file.endsWith('.ts'));
  const graph = new Map(library.map(file => [file, importedFiles(file, read(file))]));
  const circle = findCircle(graph);
  if (circle) problems.push(`imports in a circle: ${circle.join(' -> ')}`);
  problems.push(...library.flatMap(file => importProblems(file, read(file))));
  problems.push(...library.flatMap(file => loaderProblems(file, read(file))));
  const tests = filesBelow(['test']).filter(file => file.endsWith('.ts'));
  problems.push(...tests.flatMap(file => testProblems(file, read(file))));

  for (const problem of problems) console.error(`    ${problem}`);
  return problems.length === 0;
}

if (isMain(import.meta.url)) process.exitCode = checkIncludes() ? 0 : 1;
