// The tests on the package as npm installs it: its binary without the entries for tests, its compiled files, its exports. What looks
// into the repository itself stays out. Needs the binaries of `npm run prebuild`.
//   node scripts/test-installed.mjs [FOLDER...]  as test/sockets; without any, all but those that are slow

import { cpSync, existsSync, mkdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Counts } from './mocha.mjs';
import { pack } from './pack.mjs';
import { npm, root, Stop, tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';
import { runSuites } from './side-by-side.mjs';
import { quick, testFiles } from './suites.mjs';

// Below the repository, whose mocha and libraries of the tests are found from there.
const folder = path.join(root, '.cache/installed');

const ofRepository = /^test\/[^/]+\/(internals|scripts|docs|examples)\//;

/** The tests and the package, as in a project of somebody who uses it. */
function makeProject() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n');
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts'];
  if (npm(['install', ...flags, pack(folder)], { cwd: folder }) !== 0) throw new Stop('npm install failed');
  for (const part of ['dist-test', 'test/fixtures', '.mocharc.json', 'scripts/mocha-reporter.cjs']) {
    cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  }
  const installed = realpathSync(path.join(folder, 'node_modules/system-tls'));
  if (!installed.startsWith(folder)) throw new Stop(`${installed} is no copy: the tests would use the repository`);
  if (existsSync(path.join(installed, 'build'))) throw new Stop(`${installed} has a build: its binary does not ship`);
}

await runMain(async () => {
  const folders = process.argv.slice(2);
  await setup();
  if (tsc(['-p', 'scripts']) !== 0 || tsc(['-p', 'test']) !== 0) return 1;
  prune('dist-test', 'test');
  makeProject();
  const files = folders.length > 0 ? testFiles(folders) : quick(testFiles(['test']));
  const counts = new Counts();
  counts.add(
    await runSuites(
      files.filter(file => !ofRepository.test(file)),
      { folder },
    ),
  );
  return counts.conclude();
});
