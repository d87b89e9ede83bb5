// One use of each feature with the packed package, for another processor or OpenSSL than this machine's: what the matrix does with all
// tests takes hours under an emulator.
//   node scripts/smoke.mjs [--arch arm64] [--openssl 4]  needs the binary of `npm run prebuild` with the same arguments

import { cpSync, existsSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Lacking, quietly } from './debian.mjs';
import { installPackage } from './installed-project.mjs';
import { Counts } from './mocha.mjs';
import { root, run } from './run.mjs';
import { runMain, setup } from './setup.mjs';
import { nodeOn, targetOf } from './target.mjs';

/** @param {string} folder */
function makeProject(folder) {
  installPackage(folder);
  cpSync(path.join(root, 'scripts/smoke/features.mjs'), path.join(folder, 'features.mjs'));
  const request = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'.split(' ');
  const files = ['-keyout', 'key.pem', '-out', 'cert.pem', '-addext', 'subjectAltName=DNS:localhost'];
  quietly('openssl', ['req', ...request, ...files], folder);
}

await runMain(async () => {
  const target = targetOf(process.argv.slice(2));
  await setup();
  const folder = path.join(root, '.cache/smoke');
  const counts = new Counts();
  try {
    makeProject(folder);
    const binary = `prebuilds/linux-${target.arch}/system-tls.openssl${target.major}.${target.libc}.node`;
    if (!existsSync(path.join(folder, 'node_modules/system-tls', binary))) throw new Lacking(`there is no ${binary}`);
    const [command = '', ...args] = nodeOn(target);
    const good = run(command, [...args, 'features.mjs', 'cert.pem', 'key.pem'], { cwd: folder }) === 0;
    counts.add(good ? { passed: 1 } : { failed: 1 });
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    console.log(`skipped: ${error.message}`);
    counts.add({ skipped: 1 });
  }
  return counts.conclude();
});
