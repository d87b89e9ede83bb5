import assert from 'node:assert/strict';
import { changedFiles, concernedSources, includedFiles, sourcesOfChange } from '#scripts/changed-sources.mjs';
import { needs } from '../../support/capabilities.ts';

describe('the sources that a change concerns', () => {
  const many = Array.from({ length: 9 }, (_, i) => [`native/io/user${i}.cc`, ['native/io/popular.h']] as const);
  const includes = new Map<string, string[]>([
    ['native/io/a.h', ['native/engine/b.h']],
    ['native/io/a.cc', ['native/io/a.h']],
    ['native/engine/b.h', ['native/engine/deep.h']],
    ['native/engine/b.cc', ['native/engine/b.h']],
    ['native/engine/deep.h', ['native/engine/circle.h']],
    ['native/engine/circle.h', ['native/engine/deep.h']],
    ['native/io/popular.h', []],
    ['native/io/popular.cc', ['native/io/popular.h']],
    ['native/io/unused.h', []],
    ...many.map(([file, list]) => [file, [...list]] as [string, string[]]),
  ]);

  const cases: [string, string[], string[]][] = [
    ['a source is concerned itself', ['native/io/a.cc'], ['native/io/a.cc']],
    ['a header concerns who includes it', ['native/io/a.h'], ['native/io/a.cc']],
    ['a header concerns its own source, not all behind other headers', ['native/engine/b.h'], ['native/engine/b.cc']],
    ['a header that only headers include concerns the next sources', ['native/engine/deep.h'], ['native/engine/b.cc']],
    ['a header that nobody includes concerns none', ['native/io/unused.h'], []],
    ['what was deleted or is no source concerns none', ['native/io/gone.cc', 'native/sources.json', ''], []],
    ['each is named once', ['native/io/a.cc', 'native/io/a.h'], ['native/io/a.cc']],
  ];
  for (const [what, changed, expected] of cases) {
    it(what, () => assert.deepEqual(concernedSources(changed, includes), expected));
  }

  it('of those that include a popular header some are enough, its own among them', () => {
    const found = concernedSources(['native/io/popular.h'], includes);
    assert.equal(found.length, 4);
    assert.ok(found.includes('native/io/popular.cc'));
  });

  it('are read from #include with quotes', () => {
    assert.deepEqual(
      includedFiles('#include "io/a.h"\n  #  include "engine/b.h"\n#include <uv.h>\n// #include "io/c.h"\n'),
      ['native/io/a.h', 'native/engine/b.h'],
    );
  });

  it('are not those that were moved, or include what was', () => {
    const diff = [
      'diff --git a/native/io/a.cc b/native/io/new/a.cc',
      'similarity index 98%',
      'rename from native/io/a.cc',
      'rename to native/io/new/a.cc',
      '--- a/native/io/a.cc',
      '+++ b/native/io/new/a.cc',
      '@@ -1 +1,2 @@',
      '-#include "io/a.h"',
      '+#include "io/new/a.h"',
      '+',
      'diff --git a/native/io/b.cc b/native/io/b.cc',
      '--- a/native/io/b.cc',
      '+++ b/native/io/b.cc',
      '@@ -1 +1 @@',
      '-#include "io/a.h"',
      '+#include "io/new/a.h"',
      '@@ -9 +9 @@',
      '---count;',
      '+count -= 1;',
      'diff --git a/native/io/gone.cc b/native/io/gone.cc',
      '--- a/native/io/gone.cc',
      '+++ /dev/null',
      '@@ -1 +0,0 @@',
      '-int gone;',
      'diff --git a/native/io/c.h b/native/io/new/c.h',
      'similarity index 100%',
      'rename from native/io/c.h',
      'rename to native/io/new/c.h',
      '',
    ].join('\n');
    assert.deepEqual(changedFiles(diff), ['native/io/b.cc']);
  });

  it('are all, where nobody knows what changed', () => {
    assert.equal(sourcesOfChange({ CI_BASE: 'no-such-commit' }), undefined);
  });

  it('are sources alone, where git knows what changed', function () {
    const found = sourcesOfChange({ CI_BASE: 'HEAD' });
    needs(this, found !== undefined, 'this is no clone of git');
    assert.ok(found?.every(file => file.endsWith('.cc')));
  });
});
