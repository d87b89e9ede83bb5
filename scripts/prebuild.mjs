// Fills prebuilds/ for this platform: Node-API, stripped, tagged by C library and by OpenSSL's major version. See
// prebuilds/README.md.

import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { splitSymbols } from './debug-symbols.mjs';
import { findOpenssl, thisMachine } from './find-openssl.mjs';
import { findNodeDirectory } from './node-headers.mjs';
import { root, runTool, Stop } from './run.mjs';
import { runMain, setup } from './setup.mjs';

const inputs = ['binding.gyp', 'native', 'scripts', 'package.json'];

/** node-gyp rebuilds in the folder of the package, which would take the developer's own build away. */
function stage() {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'system-tls-prebuild-')));
  for (const input of inputs) cpSync(path.join(root, input), path.join(folder, input), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

/**
 * Alpine's own file tells it from glibc, as it does for node-gyp-build, which reads the tag.
 * @param {import('./find-openssl.mjs').Machine} machine
 */
function libcTag({ platform, exists }) {
  if (platform !== 'linux') return [];
  return [`--tag-libc=${exists('/etc/alpine-release') ? 'musl' : 'glibc'}`];
}

/** @param {string} folder */
function binariesIn(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter(file => file.endsWith('.node')).map(file => path.join(folder, file));
}

await runMain(async () => {
  await setup();
  const machine = thisMachine();
  const openssl = findOpenssl(machine);
  if (!openssl) throw new Stop('OpenSSL went missing');
  const folder = stage();
  try {
    const nodeDirectory = findNodeDirectory(machine, realpathSync(process.execPath));
    const name = `system-tls.openssl${openssl.version.major}`;
    const args = ['--napi', `--name=${name}`, `--target=${process.versions.node}`, ...libcTag(machine)];
    // Functions and lines: what stacks and profiles show.
    const flags = `${process.env['CXXFLAGS'] ?? ''} -g1`.trim();
    const env = { CXXFLAGS: flags, ...(nodeDirectory && { npm_config_nodedir: nodeDirectory }) };
    const code = runTool('prebuildify/bin.js', args, { cwd: folder, quiet: true, env });
    if (code !== 0) return code;
    for (const file of binariesIn(path.join(folder, 'prebuilds'))) splitSymbols(file, machine.platform);
    mkdirSync(path.join(root, 'prebuilds'), { recursive: true });
    cpSync(path.join(folder, 'prebuilds'), path.join(root, 'prebuilds'), { recursive: true });
    console.log(`made prebuilds/${process.platform}-${process.arch}/${name}.*.node`);
    return 0;
  } finally {
    rmSync(folder, { recursive: true });
  }
});
