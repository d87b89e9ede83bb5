// npm run test:endings: generated cases of how a connection can end, see docs/endings.md.
//
//   (nothing)              cases in which every pair of values occurs
//   --seconds N --seed S   these first, then more of the product until the time is over, in an order that S gives
//   --cases N              so many of that order
//   --all                  the whole product
//   --case 'peer=...,...'  one case, as a failure prints it (with its --seed); may be repeated
//   --list                 prints the cases instead of running them
//   --concurrency N        cases at a time, default 24
//   --patience N           seconds that a case has, default 60
//   --verbose              prints cases that are right too
//   --soak                 every ending thousands of times: descriptors and memory; --connections N, --on loop or thread

import path from 'node:path';
import process from 'node:process';
import { root, run, tsc } from './run.mjs';
import { prune, runMain, setup } from './setup.mjs';

await runMain(async () => {
  await setup();
  if (tsc(['-p', 'scripts']) !== 0 || tsc(['-p', 'test']) !== 0) return 1;
  prune('dist-test', 'test');
  return run(process.execPath, [
    '--enable-source-maps',
    '--expose-gc',
    path.join(root, 'dist-test/endings/main.js'),
    ...process.argv.slice(2),
  ]);
});
