import assert from 'node:assert/strict';
import { findCircle, importedFiles, importProblems, includeProblems, testProblems } from '#scripts/check-includes.mjs';

describe('check-includes', () => {
  const allowed: [string, string][] = [
    ['engine/a.h', '#include "openssl/handles.h"\n#include "engine/b.h"\n#include <openssl/ssl.h>'],
    ['io/a.cc', '#include <uv.h>\n#include "engine/connection.h"'],
    ['binding/a.cc', '#include <napi.h>\n#include <uv.h>\n#include "io/reactor.h"'],
    ['addon.cc', '#include <napi.h>\n#include "binding/a.h"'],
    ['test/a.cc', '#include <uv.h>\n#include "engine/connection.h"'],
  ];
  for (const [file, text] of allowed) {
    it(`lets ${file} include what lies below`, () => assert.deepEqual(includeProblems(file, text), []));
  }

  const forbidden: [string, string][] = [
    ['openssl/a.h', '#include "engine/b.h"'],
    ['engine/a.cc', '  #  include "io/b.h"'],
    ['io/a.cc', '#include "binding/b.h"'],
    ['engine/a.cc', '#include <uv.h>'],
    ['openssl/a.cc', '#include <uv/version.h>'],
    ['io/a.cc', '#include <napi.h>'],
    ['engine/a.cc', '#include <node_api.h>'],
    ['binding/a.cc', '#include <v8.h>'],
    ['binding/a.cc', '#include <node.h>'],
    ['engine/a.cc', '#include "connection.h"'],
  ];
  for (const [file, text] of forbidden) {
    it(`finds ${text.trim()} in ${file}`, () => assert.equal(includeProblems(file, text).length, 1));
  }

  it('reads imports, those of types too', () => {
    const text = `import a from './a.ts';
      import { b, type B } from '../b.ts';
      import type { C } from './c.ts';
      export * from './d.ts';
      export type { E } from './e.ts';
      import {
        f,
      } from './f.ts';
      import './g.ts';
      declare module './h.ts' {}
      let i: import('./i.ts').I;
      import fs from 'node:fs';`;
    assert.deepEqual(importedFiles('lib/x/y.ts', text), [
      'lib/x/a.ts',
      'lib/b.ts',
      'lib/x/c.ts',
      'lib/x/d.ts',
      'lib/x/e.ts',
      'lib/x/f.ts',
      'lib/x/g.ts',
      'lib/x/h.ts',
      'lib/x/i.ts',
    ]);
  });

  it('lets a file of lib/ import from its folder and from those before it', () => {
    const text = `import { a } from './a.ts';
      import type { B } from '../base/b.ts';
      import type { C } from '../../types/binding.d.ts';`;
    assert.deepEqual(importProblems('lib/session/x.ts', text), []);
    assert.deepEqual(importProblems('lib/index.ts', "export { c } from './dtls/c.ts';"), []);
  });

  const upward: [string, string][] = [
    ['lib/base/a.ts', "import { b } from '../session/b.ts';"],
    ['lib/base/a.ts', "import type { B } from '../session/b.ts';"],
    ['lib/base/a.ts', "export type { B } from '../session/b.ts';"],
    ['lib/base/a.ts', "let b: import('../session/b.ts').B;"],
    ['lib/base/a.ts', "declare module '../session/b.ts' {}"],
    ['lib/dtls/a.ts', "import { b } from '../index.ts';"],
    ['lib/base/a.ts', "import { b } from '../../scripts/b.mjs';"],
    ['lib/a.ts', ''],
    ['lib/misc/a.ts', ''],
  ];
  for (const [file, text] of upward) {
    it(`finds ${text || 'that nothing has a place'} in ${file}`, () =>
      assert.equal(importProblems(file, text).length, 1));
  }

  // In pieces, since the check reads this file too.
  const dist = 'dist';
  const internal = `import { binding } from '#${dist}/native/load-binding.js';`;
  const script = "import { plan } from '#scripts/suites.mjs';";
  const tests: [string, string][] = [
    ['test/quick/session/a.test.ts', "import { Ssl } from 'system-tls';"],
    ['test/slow-sockets/peers/a.test.ts', ''],
    ['test/slow/internals/a.test.ts', internal],
    ['test/quick/scripts/a.test.ts', script],
    ['test/support/a.ts', "import { Ssl } from 'system-tls';"],
  ];
  for (const [file, text] of tests) it(`takes ${file}`, () => assert.deepEqual(testProblems(file, text), []));

  const misplaced: [string, string][] = [
    ['test/a.test.ts', ''],
    ['test/session/a.test.ts', ''],
    ['test/quick/a.test.ts', ''],
    ['test/quick/sessions/a.test.ts', ''],
    ['test/quick/session/more/a.test.ts', ''],
    ['test/quick/session/a.test.ts', internal],
    ['test/quick/session/a.test.ts', `join(packageFolder, '${dist}/native/load-binding.js')`],
    ['test/support/a.ts', internal],
    ['test/quick/session/a.test.ts', script],
  ];
  for (const [file, text] of misplaced) {
    it(`does not take ${file}${text && ` with ${text}`}`, () => assert.equal(testProblems(file, text).length, 1));
  }

  it('finds a circle of types', () => {
    const files = {
      'lib/base/a.ts': "import type { B } from './b.ts';",
      'lib/base/b.ts': "import { a } from './a.ts';",
    };
    const graph = new Map(Object.entries(files).map(([file, text]) => [file, importedFiles(file, text)]));
    assert.deepEqual(findCircle(graph), ['lib/base/a.ts', 'lib/base/b.ts', 'lib/base/a.ts']);
  });

  it('finds a circle, and none in a diamond', () => {
    const circle = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    assert.deepEqual(findCircle(circle), ['b', 'c', 'b']);
    const diamond = new Map([
      ['a', ['b', 'c']],
      ['b', ['d']],
      ['c', ['d']],
      ['d', []],
    ]);
    assert.equal(findCircle(diamond), undefined);
  });
});
