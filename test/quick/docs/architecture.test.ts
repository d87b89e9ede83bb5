// The documents name what is there: each folder of lib/ and native/, and no file that was moved or removed.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { libraryFolders } from '#scripts/check-includes.mjs';
import { packageFolder } from '../../support/child.ts';

const read = (file: string): string => readFileSync(join(packageFolder, file), 'utf8');
const exists = (file: string): boolean => existsSync(join(packageFolder, file));

function foldersBelow(folder: string): string[] {
  return readdirSync(join(packageFolder, folder))
    .map(name => `${folder}/${name}`)
    .filter(path => statSync(join(packageFolder, path)).isDirectory())
    .flatMap(path => [path, ...foldersBelow(path)]);
}

describe('docs/architecture.md', () => {
  const rows = [...read('docs/architecture.md').matchAll(/^\| `((?:lib|native)\/[\w/]+)` \|.*\| (.*) \|$/gm)].map(
    ([, folder = '', begin = '']) => ({
      folder,
      begin: [...begin.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
    }),
  );

  it('has a row for every folder of lib/ and native/, and for no other', () => {
    assert.deepEqual(
      rows.map(({ folder }) => folder).sort(),
      [...foldersBelow('lib'), ...foldersBelow('native')].sort(),
    );
  });

  it('has those of lib/ in the order in which they may import from each other', () => {
    const folders = rows.flatMap(({ folder }) => (folder.startsWith('lib/') ? folder.slice('lib/'.length) : []));
    assert.deepEqual([...folders, 'index.ts'], libraryFolders);
  });

  it('says where to begin reading', () => {
    for (const { folder, begin } of rows) {
      assert.ok(begin.length > 0, folder);
      for (const file of begin) assert.ok(exists(`${folder}/${file}`), `${folder}/${file}`);
    }
  });
});

describe('the documents', () => {
  const documents = [
    'README.md',
    'CONTRIBUTING.md',
    // Those of docs/decisions/ tell what was, and may name what is gone.
    ...readdirSync(join(packageFolder, 'docs'))
      .filter(file => file.endsWith('.md'))
      .map(file => `docs/${file}`),
  ];

  it('name functions in the files beside them', () => {
    // In the walk-throughs: `name()` in `path`, or in one of several.
    const rows = read('CONTRIBUTING.md').match(/^\| .*\(\)`.*\|$/gm) ?? [];
    assert.ok(rows.length > 10, 'the search finds what there is');
    const missing = rows.flatMap(row => {
      const files = [...row.matchAll(/`((?:lib|native|types|test)\/[\w./-]+\.\w+)`/g)].map(([, file = '']) => file);
      if (files.length === 0) return [];
      const text = files.map(read).join('\n');
      return [...row.matchAll(/`(?:\w+::)?(\w+)\(\)`/g)].flatMap(([, name = '']) =>
        text.includes(`${name}(`) ? [] : `${name} in ${files.join(', ')}`,
      );
    });
    assert.deepEqual(missing, []);
  });

  it('name files and folders of this repository that exist', () => {
    const named = documents.flatMap(file =>
      [...read(file).matchAll(/`((?:lib|native|types|test|scripts|examples|bench|docs)\/[\w./-]*)`/g)].map(
        ([, path = '']) => ({ file, path }),
      ),
    );
    assert.ok(named.length > 60, 'the search finds what there is');
    // The layers of native/ are also named without it.
    const layers = documents.flatMap(file =>
      [...read(file).matchAll(/`((?:engine|io|openssl|binding)\/[\w./-]*)`/g)].map(([, path = '']) => ({
        file,
        path: `native/${path}`,
      })),
    );
    assert.ok(layers.length > 10, 'the search finds them');
    named.push(...layers);
    // test/alone/ has no files at times.
    const absent = named.filter(({ path }) => path !== 'test/alone/' && !exists(path));
    assert.deepEqual(absent, []);
  });
});
