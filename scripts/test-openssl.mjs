// The tests on another OpenSSL than the system's: the library under node, the program `openssl` as a peer, and the native
// tests. The build stays the one that was made with the system's headers, as the binary that ships is.
//   node scripts/test-openssl.mjs [VERSION | PREFIX] [ARGUMENT...]
// VERSION: 3.5 (the default) or 3.6, whose Debian packages are unpacked in .cache. PREFIX: a folder with another one and
// all that it needs, as made by dpkg -x. Further arguments are those of `npm test`; with any, the native tests are left out.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import process from 'node:process';
import { Lacking } from './debian.mjs';
import { Counts } from './mocha.mjs';
import { buildNativeTests } from './native-tests.mjs';
import { onRelease } from './on-release.mjs';
import { root, run, tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';
import { runTests } from './side-by-side.mjs';

/**
 * What the tests are about to use; they would prove nothing if the copies went on using the system's.
 * @param {ReturnType<typeof onRelease>} programs @param {string} where
 */
function versionsOf({ node, env }, where) {
  const options = /** @type {const} */ ({ cwd: root, encoding: 'utf8', env: { ...process.env, ...env } });
  const script = "import { openssl } from 'system-tls'; console.log(openssl.version)";
  const library = execFileSync(node, ['--input-type=module', '-e', script], options).trim();
  const program = execFileSync('openssl', ['version'], options).split(' ')[1];
  if (library !== program || (!existsSync(where) && !library.startsWith(`${where}.`))) {
    throw new Error(`system-tls uses OpenSSL ${library}, the program is ${program}, and ${where} was asked for`);
  }
  return library;
}

await runMain(async () => {
  const [where = '3.5', ...args] = process.argv.slice(2);
  const counts = new Counts();
  await setup();
  if (tsc(['-p', 'scripts']) !== 0 || tsc(['-p', 'test']) !== 0) return 1;
  prune('dist-test', 'test');
  try {
    const programs = onRelease(where);
    console.log(`\non OpenSSL ${versionsOf(programs, where)}`);
    counts.add(await runTests(args.length === 0 ? ['test/'] : args, programs));
    if (args.length === 0) {
      const native = buildNativeTests([]);
      const good = native !== undefined && run(programs.copy(native, 'native_tests'), [], { env: programs.env }) === 0;
      counts.add(good ? { passed: 1 } : { failed: 1 });
    }
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    console.log(`skipped: ${error.message}`);
    counts.add({ skipped: 1 });
  }
  return counts.conclude();
});
