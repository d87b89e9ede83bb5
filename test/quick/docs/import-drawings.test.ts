// The drawings in docs/architecture.md are what the sources import.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Arrow,
  arrowsBetween,
  flowchart,
  type Layer,
  libraryImports,
  nativeImports,
  upwardArrows,
  withDrawings,
  withoutDetours,
} from '#scripts/draw-imports.mjs';
import { packageFolder } from '../../support/child.ts';

/** The lowest first; a layer of one folder, or of several: `low: a b`. */
const layersOf = (...texts: string[]): Layer[] =>
  texts.map(text => {
    const [layer = '', folders = layer] = text.split(': ');
    return { layer, folders: folders.split(' ') };
  });

const arrowsOf = (text: string): Arrow[] =>
  text.split(', ').map(arrow => {
    const [from = '', to = ''] = arrow.split(' > ');
    return [from, to];
  });

const textOf = (arrows: readonly Arrow[]): string => arrows.map(([from, to]) => `${from} > ${to}`).join(', ');

/** All pairs of folders of which arrows lead from one to the other. */
function reached(arrows: readonly Arrow[]): string[] {
  const pairs = new Map(arrows.map(arrow => [textOf([arrow]), arrow]));
  // A map hands out what is added to it on the way.
  for (const [from, between] of pairs.values()) {
    for (const [tail, to] of arrows) if (tail === between) pairs.set(textOf([[from, to]]), [from, to]);
  }
  return [...pairs.keys()].sort();
}

const lines = (chart: string): string[] => chart.split('\n').flatMap(line => (line.includes('>') ? line.trim() : []));

describe('docs/architecture.md draws', () => {
  it('what the sources import', () => {
    const page = readFileSync(join(packageFolder, 'docs/architecture.md'), 'utf8');
    assert.equal(withDrawings(page), page, 'npm run draw-imports writes the drawings');
  });

  for (const [what, imports] of [
    ['lib/', libraryImports()],
    ['native/', nativeImports()],
  ] as const) {
    it(`${what} with each folder in a layer, and no arrow upwards`, () => {
      assert.ok(imports.arrows.length > 20, 'the search finds what there is');
      const folders = imports.layers.flatMap(layer => layer.folders);
      assert.deepEqual(
        imports.arrows.flat().filter(folder => !folders.includes(folder)),
        [],
      );
      assert.deepEqual(upwardArrows(imports.arrows, imports.layers), []);
    });

    it(`${what} with arrows that stand for all imports`, () => {
      const drawn = withoutDetours(imports.arrows);
      assert.ok(drawn.length < imports.arrows.length);
      assert.deepEqual(reached(drawn), reached(imports.arrows));
    });
  }
});

describe('A drawing of imports', () => {
  const folderOf = (file: string) => (file.startsWith('lib/') ? file.split('/')[1] : undefined);

  it('has an arrow for each pair of folders, whichever and however many files it is', () => {
    const arrows = arrowsBetween(
      [
        ['lib/c/one.ts', ['lib/b/x.ts', 'lib/c/two.ts', 'types/binding.d.ts']],
        ['lib/c/two.ts', ['lib/b/y.ts', 'lib/a/x.ts']],
        ['lib/a/x.ts', []],
      ],
      folderOf,
    );
    assert.equal(textOf(arrows), 'c > a, c > b');
  });

  it('finds an arrow upwards, alone or in a circle, and draws it whatever else is left out', () => {
    const layers = layersOf('base', 'context', 'stream', 'dtls');
    const downwards = 'context > base, stream > context, dtls > stream';
    assert.deepEqual(upwardArrows(arrowsOf(downwards), layers), []);
    for (const upward of ['base > dtls', 'base > context', 'context > stream']) {
      const arrows = arrowsOf(`${downwards}, ${upward}`);
      assert.equal(textOf(upwardArrows(arrows, layers)), upward);
      const [from, to] = upward.split(' > ');
      assert.ok(lines(flowchart(arrows, layers)).includes(`${from} -- upwards --> ${to}`), upward);
    }
    // Others lead there too, all of them upwards.
    const detour = arrowsOf('base > context, context > dtls, base > dtls');
    assert.equal(lines(flowchart(detour, layers)).length, 3);
    assert.equal(upwardArrows(detour, layers).length, 3);
  });

  it('finds one between layers of several folders, and none inside of a layer', () => {
    const layers = layersOf('low: low low/a low/b', 'high: high high/a');
    const inside = 'low > low/a, low/a > low, low/b > low/a, high/a > high, high > low/b';
    assert.deepEqual(upwardArrows(arrowsOf(inside), layers), []);
    assert.equal(textOf(upwardArrows(arrowsOf(`${inside}, low/b > high/a`), layers)), 'low/b > high/a');
  });

  it('leaves out what others stand for, and no arrow of a circle', () => {
    const without = (text: string) => textOf(withoutDetours(arrowsOf(text)));
    assert.equal(without('c > b, b > a, c > a'), 'c > b, b > a');
    assert.equal(without('d > c, c > b, b > a, d > a, d > b'), 'd > c, c > b, b > a');
    assert.equal(without('c > b, c > a'), 'c > b, c > a');
    const circle = 'a > b, b > c, c > a, b > a';
    assert.equal(without(circle), circle);
    // A circle counts as one: each arrow into it stays, and those behind it go.
    assert.equal(without(`x > a, x > b, ${circle}, c > z, x > z`), `x > a, x > b, ${circle}, c > z`);
  });

  it('joins two arrows that point at each other, and boxes the folders of a layer', () => {
    const chart = flowchart(arrowsOf('low/a > low/b, low/b > low/a, top > low/a'), layersOf('low: low/a low/b', 'top'));
    assert.equal(
      chart,
      [
        '```mermaid',
        'flowchart TB',
        '  top["top"]',
        '  subgraph low_layer["low"]',
        '    low_a["low/a"]',
        '    low_b["low/b"]',
        '  end',
        '  low_a <--> low_b',
        '  top --> low_a',
        '```',
      ].join('\n'),
    );
  });

  it('refuses a page without a place for it', () => {
    assert.throws(() => withDrawings('# Title\n'), /no lines/);
  });
});
