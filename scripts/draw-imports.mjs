// npm run draw-imports: writes the drawings in docs/architecture.md of what the folders of lib/ and native/ import from each other,
// as Mermaid flowcharts, from the sources. scripts/check-includes.mjs has the order of the layers.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { importedFiles, includedFiles, libraryFolders, nativeLayers } from './check-includes.mjs';
import { withMarkedPart } from './marked-part.mjs';
import { isMain, root } from './run.mjs';
import { filesBelow } from './stamps.mjs';

/**
 * @typedef {[from: string, to: string]} Arrow  a folder imports from another one
 * @typedef {{ layer: string, folders: string[] }} Layer  arrows inside of a layer may point anywhere
 */

const page = path.join(root, 'docs/architecture.md');
const marks = {
  begin: '<!-- drawings, written by: npm run draw-imports -->',
  end: '<!-- end of the drawings -->',
};

/**
 * Each pair of folders once.
 * @param {Iterable<readonly [file: string, imported: string[]]>} imports
 * @param {(file: string) => string | undefined} folderOf  undefined: not drawn
 * @returns {Arrow[]}
 */
export function arrowsBetween(imports, folderOf) {
  /** @type {Map<string, Arrow>} */
  const arrows = new Map();
  for (const [file, imported] of imports) {
    for (const target of imported) {
      const [from, to] = [folderOf(file), folderOf(target)];
      if (from !== undefined && to !== undefined && from !== to) arrows.set(`${from} ${to}`, [from, to]);
    }
  }
  return [...arrows.values()].sort();
}

/**
 * Those that point from a layer to one above it.
 * @param {Arrow[]} arrows
 * @param {Layer[]} layers  the lowest first
 */
export function upwardArrows(arrows, layers) {
  const heightOf = (/** @type {string} */ folder) => layers.findIndex(({ folders }) => folders.includes(folder));
  return arrows.filter(([from, to]) => heightOf(from) < heightOf(to));
}

/**
 * Whether arrows lead from one folder to another. Each reaches itself.
 * @param {Arrow[]} arrows
 * @returns {(from: string, to: string) => boolean}
 */
function reachability(arrows) {
  /** @type {Map<string, Set<string>>} */
  const reached = new Map();
  const from = (/** @type {string} */ folder) => {
    const known = reached.get(folder) ?? new Set([folder]);
    reached.set(folder, known);
    // A set hands out what is added to it on the way.
    for (const each of known) for (const [tail, head] of arrows) if (tail === each) known.add(head);
    return known;
  };
  return (folder, to) => (reached.get(folder) ?? from(folder)).has(to);
}

/**
 * Without the arrows that others, through a third folder, stand for. Folders in a circle count as one there, and the arrows between
 * them stay.
 * @param {Arrow[]} arrows
 */
export function withoutDetours(arrows) {
  const folders = [...new Set(arrows.flat())];
  const reaches = reachability(arrows);
  const below = (/** @type {string} */ a, /** @type {string} */ b) => reaches(a, b) && !reaches(b, a);
  return arrows.filter(([from, to]) => !folders.some(each => below(from, each) && below(each, to)));
}

/** @param {string} folder */
const idOf = folder => folder.replace(/\W/g, '_');

/** @param {Layer} layer */
function layerLines({ layer, folders }) {
  const nodes = folders.map(folder => `${idOf(folder)}["${folder}"]`);
  if (nodes.length === 1) return nodes;
  return [`subgraph ${idOf(layer)}_layer["${layer}"]`, ...nodes.map(node => `  ${node}`), 'end'];
}

/** Two that point at each other are one line. @param {Arrow[]} arrows @param {Arrow[]} upward */
function arrowLines(arrows, upward) {
  const has = (/** @type {string} */ from, /** @type {string} */ to) => arrows.some(([a, b]) => a === from && b === to);
  return arrows.flatMap(arrow => {
    const [from, to] = arrow;
    if (upward.includes(arrow)) return `${idOf(from)} -- upwards --> ${idOf(to)}`;
    if (!has(to, from)) return `${idOf(from)} --> ${idOf(to)}`;
    return from < to ? `${idOf(from)} <--> ${idOf(to)}` : [];
  });
}

/**
 * @param {Arrow[]} arrows
 * @param {Layer[]} layers  the lowest first
 */
export function flowchart(arrows, layers) {
  const upward = upwardArrows(arrows, layers);
  const drawn = withoutDetours(arrows);
  const shown = arrows.filter(arrow => drawn.includes(arrow) || upward.includes(arrow));
  const lines = [...[...layers].reverse().flatMap(layerLines), ...arrowLines(shown, upward)];
  return ['```mermaid', 'flowchart TB', ...lines.map(line => `  ${line}`), '```'].join('\n');
}

/** @param {string} file */
const read = file => readFileSync(path.join(root, file), 'utf8');

/** What lib/ imports, and its layers: each folder is one. */
export function libraryImports() {
  const files = filesBelow(['lib']).filter(file => file.endsWith('.ts'));
  const imports = files.map(file => /** @type {const} */ ([file, importedFiles(file, read(file))]));
  const folderOf = (/** @type {string} */ file) => (file.startsWith('lib/') ? file.split('/')[1] : undefined);
  return {
    arrows: arrowsBetween(imports, folderOf),
    layers: libraryFolders.map(folder => ({ layer: folder, folders: [folder] })),
  };
}

/** What native/ includes, and its layers, without its tests. */
export function nativeImports() {
  const files = filesBelow(nativeLayers.map(layer => `native/${layer}`)).concat('native/addon.cc');
  const imports = files.map(file => /** @type {const} */ ([file.slice('native/'.length), includedFiles(read(file))]));
  const folderOf = (/** @type {string} */ file) => (file.includes('/') ? path.posix.dirname(file) : file);
  const folders = [...new Set(imports.map(([file]) => folderOf(file)))];
  return {
    arrows: arrowsBetween(imports, folderOf),
    layers: nativeLayers.map(layer => ({
      layer,
      folders: folders.filter(folder => folder.split(/[/.]/)[0] === layer),
    })),
  };
}

/** The page with the drawings of the sources instead of its own. @param {string} text */
export function withDrawings(text) {
  const [library, native] = [libraryImports(), nativeImports()];
  const parts = [
    'The folders of `lib/`:',
    flowchart(library.arrows, library.layers),
    'The folders of `native/`, in their layers:',
    flowchart(native.arrows, native.layers),
  ];
  return withMarkedPart(text, marks, parts.join('\n\n'));
}

if (isMain(import.meta.url)) writeFileSync(page, withDrawings(readFileSync(page, 'utf8')));
