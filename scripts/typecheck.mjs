// Types of everything, without output where only types count.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { root, tsc } from './run.mjs';
import { runMain, setup } from './setup.mjs';

const projects = ['scripts', 'test', 'examples', 'bench'];

await runMain(async () => {
  await setup();
  const present = projects.filter(project => existsSync(path.join(root, project, 'tsconfig.json')));
  return present.filter(project => tsc(['-p', project]) !== 0).length;
});
