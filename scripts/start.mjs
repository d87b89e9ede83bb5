// npm start: sets up and runs the demonstration.

import { existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { root, run } from './run.mjs';
import { runMain, setup } from './setup.mjs';

await runMain(async () => {
  await setup({ examples: true });
  const demo = path.join(root, 'dist-examples/demo.js');
  if (!existsSync(demo)) {
    console.log('There is no examples/demo.ts to run.');
    return 1;
  }
  return run(process.execPath, ['--enable-source-maps', demo, ...process.argv.slice(2)]);
});
