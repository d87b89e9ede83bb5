// The tests on the package as npm installs it: its binary without the entries for tests, its compiled files, its exports. What looks
// into the repository itself stays out. Needs the binaries of `npm run prebuild`.
//   node scripts/test-installed.mjs [FOLDER...]  as test/sockets; without any, all but those that are slow

import process from 'node:process';
import { installedProject, ofStranger } from './installed-project.mjs';
import { Counts } from './mocha.mjs';
import { runMain, setup } from './setup.mjs';
import { runSuites } from './side-by-side.mjs';
import { quick, testFiles } from './suites.mjs';

await runMain(async () => {
  const folders = process.argv.slice(2);
  await setup();
  const folder = installedProject();
  if (folder === undefined) return 1;
  const counts = new Counts();
  counts.add(
    await runSuites(ofStranger(folders.length > 0 ? testFiles(folders) : quick(testFiles(['test']))), { folder }),
  );
  return counts.conclude();
});
