// Fills prebuilds/ for one platform: Node-API, stripped, tagged by C library and by OpenSSL's major version. See
// prebuilds/README.md.
//   node scripts/prebuild.mjs [--arch x64|arm64] [--openssl 3|4] [--libc glibc|musl]  each default is this machine's

import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { Lacking, quietly } from './debian.mjs';
import { splitSymbols } from './debug-symbols.mjs';
import { thisMachine } from './find-openssl.mjs';
import { findNodeDirectory } from './node-headers.mjs';
import { root, runTool, Stop } from './run.mjs';
import { runMain, setup } from './setup.mjs';
import { buildEnvironment, nodeOn, targetOf, toolPrefix } from './target.mjs';

/** @typedef {import('./target.mjs').Target} Target */

const inputs = ['binding.gyp', 'native', 'scripts', 'package.json'];

/** node-gyp rebuilds in the folder of the package, which would take the developer's own build away. */
function stage() {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'system-tls-prebuild-')));
  for (const input of inputs) cpSync(path.join(root, input), path.join(folder, input), { recursive: true });
  symlinkSync(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  return folder;
}

/** @param {string} folder */
function binariesIn(folder) {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return files.filter(file => file.endsWith('.node')).map(file => path.join(folder, file));
}

/** What has never been loaded is not packed: it is loaded once, where it belongs. @param {string} file @param {Target} target */
function prove(file, target) {
  const script = `
    const { RTLD_NOW, RTLD_DEEPBIND = 0 } = require('node:os').constants.dlopen;
    const module = { exports: {} };
    process.dlopen(module, ${JSON.stringify(file)}, RTLD_NOW | RTLD_DEEPBIND);
    const { version, isolated } = module.exports.opensslInfo();
    console.log(JSON.stringify({ version, isolated, arch: process.arch, node: process.version }));
  `;
  const [command = '', ...args] = nodeOn(target);
  const said = quietly(command, [...args, '-e', script]);
  const { version, isolated, arch, node } = JSON.parse(said);
  if (!isolated || !version.startsWith(`${target.major}.`) || arch !== target.arch) {
    throw new Stop(`the binary does not load as it should: ${said}`);
  }
  return `OpenSSL ${version}, node ${node}`;
}

/** @param {Target} target @param {string} folder */
function build({ arch, major, libc }, folder, /** @type {Record<string, string>} */ env) {
  const nodeDirectory = findNodeDirectory(thisMachine(), realpathSync(process.execPath));
  const tag = libc === '' ? [] : [`--tag-libc=${libc}`];
  const args = [
    '--napi',
    `--name=system-tls.openssl${major}`,
    `--arch=${arch}`,
    `--target=${process.versions.node}`,
    ...tag,
  ];
  // Functions and lines: what stacks and profiles show.
  const flags = `${process.env['CXXFLAGS'] ?? ''} -g1`.trim();
  return runTool('prebuildify/bin.js', args, {
    cwd: folder,
    quiet: true,
    env: { ...env, CXXFLAGS: flags, ...(nodeDirectory && { npm_config_nodedir: nodeDirectory }) },
  });
}

await runMain(async () => {
  const target = targetOf(process.argv.slice(2));
  await setup();
  const folder = stage();
  try {
    const code = build(target, folder, buildEnvironment(target));
    if (code !== 0) return code;
    for (const file of binariesIn(path.join(folder, 'prebuilds'))) {
      splitSymbols(file, process.platform, toolPrefix(target));
      const proof = prove(file, target);
      console.log(`made ${path.relative(folder, file)}, loaded with ${proof}`);
    }
    mkdirSync(path.join(root, 'prebuilds'), { recursive: true });
    cpSync(path.join(folder, 'prebuilds'), path.join(root, 'prebuilds'), { recursive: true });
    return 0;
  } catch (error) {
    if (!(error instanceof Lacking)) throw error;
    console.error(error.message);
    return 1;
  } finally {
    rmSync(folder, { recursive: true });
  }
});
