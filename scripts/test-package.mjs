// Packs what would be published and uses it as a stranger would: installed into an empty folder, with install scripts
// and without, where there is no compiler; then the quick start of the README is run there.

import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { pack } from './pack.mjs';
import { npm, root, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

const counts = { passed: 0, failed: 0 };

/**
 * @param {string} name
 * @param {() => void} check  throws what is wrong
 */
function expect(name, check) {
  try {
    check();
    counts.passed++;
    console.log(`  ✔ ${name}`);
  } catch (error) {
    counts.failed++;
    console.log(`  ✘ ${name}\n${/** @type {Error} */ (error).message}`);
  }
}

/**
 * The first block of code under the heading "Quick start".
 * @param {string} readme
 */
export function quickStart(readme) {
  const section = /^#+ Quick start$([\s\S]*)/im.exec(readme)?.[1] ?? '';
  const block = /^```(js|ts|mjs|javascript|typescript)\n([\s\S]*?)^```$/m.exec(section);
  if (!block) throw new Stop('README.md has no ```js or ```ts block under "Quick start"');
  return block[2] ?? '';
}

/**
 * A PATH with what npm needs and nothing that compiles.
 * @param {string} folder
 */
function barePath(folder) {
  const bin = path.join(folder, 'bin');
  mkdirSync(bin);
  for (const tool of ['sh', 'env', 'uname'])
    symlinkSync(execFileSync('which', [tool], { encoding: 'utf8' }).trim(), path.join(bin, tool));
  symlinkSync(realpathSync(process.execPath), path.join(bin, 'node'));
  const npmScript =
    process.env.npm_execpath ?? realpathSync(execFileSync('which', ['npm'], { encoding: 'utf8' }).trim());
  writeFileSync(path.join(bin, 'npm'), `#!/bin/sh\nexec node "${npmScript}" "$@"\n`, { mode: 0o755 });
  return bin;
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} cwd
 * @param {string} PATH
 */
function runBare(command, args, cwd, PATH) {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_PATH$|CC$|CXX$)/i.test(name)),
  );
  const result = spawnSync(path.join(PATH, command), args, {
    cwd,
    env: { ...env, PATH },
    encoding: 'utf8',
    timeout: 600_000,
  });
  if (result.status !== 0)
    throw new Error(
      `${command} ${args.join(' ')}: ${result.status ?? result.signal}\n${result.stdout}${result.stderr}`,
    );
  return result.stdout;
}

const identify = `const { openssl } = await import('system-tls');
if (!openssl.isolated) throw new Error('not isolated');
console.log(openssl.version);`;

/** @param {string} tarball  @param {string} folder */
function checkSymbols(tarball, folder) {
  if (spawnSync('tar', ['-xzf', tarball, '-C', folder]).status !== 0) throw new Error('tar failed');
  const prebuilds = path.join(folder, 'package/prebuilds');
  const files = readdirSync(prebuilds, { recursive: true, encoding: 'utf8' });
  const symbols = files.find(file => /\.(debug|dSYM)$/.test(file));
  if (symbols) throw new Error(`${symbols} is packed`);
  for (const file of files.filter(name => name.includes('linux') && name.endsWith('.node'))) {
    const binary = readFileSync(path.join(prebuilds, file));
    if (binary.includes('.debug_info') || !binary.includes('.gnu_debuglink'))
      throw new Error(`${file} is not stripped`);
    if (!existsSync(path.join(root, 'prebuilds', `${file}.debug`)))
      throw new Error(`the symbols of ${file} are missing`);
  }
}

/**
 * How a package manager installs a file, and runs what it installed.
 * @typedef {object} Manager
 * @property {string} title
 * @property {string} [tool]  of the registry, with its version; without one it is npm
 * @property {string} [program]  in that package
 * @property {(tarball: string) => string[]} install  arguments
 * @property {string[]} [node]  what comes before the file that node runs
 * @property {Record<string, string>} [files]  that the project has
 */

const yarnSettings = 'enableTelemetry: false\nenableGlobalCache: false\nenableImmutableInstalls: false\n';

/** @type {Manager[]} */
const managers = [
  { title: 'npm, no scripts', install: tarball => ['install', '--no-audit', '--no-fund', '--ignore-scripts', tarball] },
  { title: 'npm', install: tarball => ['install', '--no-audit', '--no-fund', tarball] },
  {
    title: 'pnpm',
    tool: 'pnpm@10.15.0',
    program: 'bin/pnpm.cjs',
    install: tarball => ['add', '--store-dir', 'store', tarball],
  },
  {
    title: 'Yarn 1',
    tool: 'yarn@1.22.22',
    program: 'bin/yarn.js',
    install: tarball => ['add', '--non-interactive', '--cache-folder', 'cache', `file:${tarball}`],
  },
  {
    title: 'Yarn 4, node_modules',
    tool: '@yarnpkg/cli-dist@4.9.2',
    program: 'bin/yarn.js',
    install: tarball => ['add', `system-tls@file:${tarball}`],
    files: { '.yarnrc.yml': `nodeLinker: node-modules\n${yarnSettings}`, 'yarn.lock': '' },
  },
  {
    title: 'Yarn 4, Plug\u2019n\u2019Play',
    tool: '@yarnpkg/cli-dist@4.9.2',
    program: 'bin/yarn.js',
    install: tarball => ['add', `system-tls@file:${tarball}`],
    node: ['--require', './.pnp.cjs', '--experimental-loader', './.pnp.loader.mjs', '--no-warnings'],
    files: { '.yarnrc.yml': `nodeLinker: pnp\n${yarnSettings}`, 'yarn.lock': '' },
  },
];

/** The program of a package manager, from the registry. @param {string} tool @param {string} program @param {string} folder */
function fetchTool(tool, program, folder) {
  const name = tool.slice(0, tool.lastIndexOf('@'));
  const file = path.join(folder, 'node_modules', name, program);
  const flags = ['--no-audit', '--no-fund', '--no-save', '--ignore-scripts'];
  if (!existsSync(file) && npm(['install', '--prefix', folder, ...flags, tool], { quiet: true, cwd: folder }) !== 0) {
    throw new Error(`the registry gave no ${tool}`);
  }
  return file;
}

/**
 * @param {string} tarball
 * @param {string} folder
 * @param {Manager} manager
 * @param {{ PATH: string, tools: string }} places
 */
function installAndUse(
  tarball,
  folder,
  { title, tool, program = '', install, node = [], files = {} },
  { PATH, tools },
) {
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'package.json'), '{ "name": "stranger", "private": true, "type": "module" }\n');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  expect(`installs without a compiler (${title})`, () => {
    if (tool === undefined) runBare('npm', install(tarball), folder, PATH);
    else runBare('node', [fetchTool(tool, program, tools), ...install(tarball)], folder, PATH);
  });
  const use = (/** @type {string} */ file, /** @type {string} */ text) => {
    writeFileSync(path.join(folder, file), text);
    runBare('node', [...node, file], folder, PATH);
  };
  expect(`loads the prebuilt binary (${title})`, () => use('identify.js', identify));
  expect(`is there for require() too (${title})`, () => {
    use('identify.cjs', `if (!require('system-tls').openssl.isolated) process.exit(1);`);
  });
  expect(`runs the quick start of the README (${title})`, () => {
    use('quick-start.js', quickStart(readFileSync(path.join(root, 'README.md'), 'utf8')));
  });
}

await runMain(async () => {
  const folder = realpathSync(mkdtempSync(path.join(tmpdir(), 'system-tls-package-')));
  console.log('package');
  try {
    const PATH = barePath(folder);
    const tarball = pack(folder);
    expect('there is no compiler on the PATH of these tests', () => {
      for (const tool of ['cc', 'gcc', 'g++', 'c++', 'clang', 'make', 'python3']) {
        if (spawnSync('/bin/sh', ['-c', `command -v ${tool}`], { env: { PATH } }).status === 0) throw new Error(tool);
      }
    });
    expect('has stripped binaries, whose symbols are kept outside', () => checkSymbols(tarball, folder));
    const tools = path.join(folder, 'tools');
    mkdirSync(tools);
    for (const [index, manager] of managers.entries()) {
      installAndUse(tarball, path.join(folder, `project-${index}`), manager, { PATH, tools });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
  console.log(`${counts.passed} passed, ${counts.failed} failed`);
  return counts.failed > 0 ? 1 : 0;
});
