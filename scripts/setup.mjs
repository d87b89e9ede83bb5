// Makes a clone ready to run: dependencies, the addon, the compiled TypeScript. What is current is left alone.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { findOpenssl, thisMachine } from './find-openssl.mjs';
import { findNodeDirectory } from './node-headers.mjs';
import { isMain, npm, root, runTool, Stop, tsc } from './run.mjs';
import { filesBelow, fingerprint, isCurrent, remember } from './stamps.mjs';
import { explainMissing, findCompiler, missingNeeds } from './toolchain.mjs';

const addon = 'build/Release/system_tls.node';

/** @param {string} text */
const say = text => console.log(`[setup] ${text}`);

/**
 * @param {string} message
 * @returns {never}
 */
function stop(message) {
  console.error(message);
  throw new Stop(message);
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) {
    stop(`system-tls needs Node 20.19 or newer; this is ${process.version}`);
  }
}

/**
 * What npm installed, against what the lock asks for. Optional packages of other platforms are rightly absent.
 * @param {Record<string, { version?: string, optional?: boolean }>} wanted
 * @param {Record<string, { version?: string }>} installed
 */
export function dependenciesMatch(wanted, installed) {
  return Object.entries(wanted).every(
    ([name, { version, optional }]) =>
      name === '' || (installed[name] ? installed[name].version === version : optional === true),
  );
}

/** @param {string} file */
function lockedPackages(file) {
  const full = path.join(root, file);
  return existsSync(full) ? (JSON.parse(readFileSync(full, 'utf8')).packages ?? {}) : {};
}

function installDependencies() {
  const installed = lockedPackages('node_modules/.package-lock.json');
  if (dependenciesMatch(lockedPackages('package-lock.json'), installed)) return;
  say('installing dependencies');
  if (npm(['ci', '--no-audit', '--no-fund']) !== 0) stop('npm could not install the dependencies; see above.');
}

/**
 * @param {string} compiler
 * @param {string} source
 */
function compiles(compiler, source) {
  try {
    const args = ['-std=c++20', '-x', 'c++', '-fsyntax-only', '-'];
    execFileSync(compiler, args, { input: source, stdio: ['pipe', 'ignore', 'ignore'] });
    return true;
  } catch {
    return false;
  }
}

/** Everything but node's version, of which Node-API makes the addon independent. */
function addonFingerprint() {
  const machine = thisMachine();
  const compiler = findCompiler(machine, compiles);
  const inputs = ['binding.gyp', 'native', 'scripts/build-inputs.mjs', 'scripts/find-openssl.mjs'];
  return fingerprint(inputs, {
    platform: process.platform,
    arch: process.arch,
    compiler: compiler && machine.run(compiler, ['--version']),
    openssl: findOpenssl(machine) ?? null,
    flags: [process.env.CFLAGS, process.env.CXXFLAGS, process.env.LDFLAGS].map(flags => flags ?? ''),
    addonApi: JSON.parse(readFileSync(path.join(root, 'node_modules/node-addon-api/package.json'), 'utf8')).version,
  });
}

function buildAddon() {
  const print = addonFingerprint();
  if (isCurrent('addon', print, addon)) return;
  const missing = missingNeeds(thisMachine(), compiles);
  if (missing.length > 0) stop(explainMissing(missing, process.env));

  say('building the addon');
  const nodeDirectory = findNodeDirectory(thisMachine(), realpathSync(process.execPath));
  const args = ['configure', 'build', '--loglevel=error', `--jobs=${availableParallelism()}`];
  if (nodeDirectory) args.push(`--nodedir=${nodeDirectory}`);
  if (runTool('node-gyp/bin/node-gyp.js', args) !== 0) {
    stop(
      nodeDirectory
        ? 'The addon could not be built; see above.'
        : "The addon could not be built; see above. If node's headers could not be fetched, install them (Debian: " +
            'apt-get install libnode-dev, Fedora: dnf install nodejs-devel, Alpine: apk add nodejs-dev) or name the ' +
            'folder that holds include/node in npm_config_nodedir.',
    );
  }
  remember('addon', print);
}

/**
 * Removes what earlier sources left behind: a deleted test must not go on running.
 * @param {string} output
 * @param {string} sources
 */
export function prune(output, sources) {
  for (const file of filesBelow([output])) {
    const source = path.relative(output, file).replace(/(\.d)?\.(m?)(js|ts)(\.map)?$/, '.$2ts');
    if (!existsSync(path.join(root, sources, source))) rmSync(path.join(root, file));
  }
}

/**
 * @param {string} name
 * @param {string} project
 * @param {string} sources
 * @param {string} output
 * @param {string[]} inputs
 */
function compile(name, project, sources, output, inputs) {
  const print = fingerprint(['tsconfig.json', project, 'package-lock.json', ...inputs]);
  const anyFile = filesBelow([sources]).find(file => file.endsWith('.ts') && !file.endsWith('.d.ts'));
  if (!anyFile) return;
  const firstOutput = path.join(output, path.relative(sources, anyFile).replace(/ts$/, 'js'));
  if (isCurrent(name, print, firstOutput)) return;
  say(`compiling ${sources}/`);
  if (tsc(['-p', project]) !== 0) stop(`${sources}/ does not compile; see above.`);
  prune(output, sources);
  remember(name, print);
}

/** Two set-ups at once in one clone would build over each other. */
async function withLock(/** @type {() => void} */ work) {
  const lock = path.join(root, '.cache/setup.lock');
  mkdirSync(path.dirname(lock), { recursive: true });
  for (let waited = 0; ; waited++) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    }
    if (waited === 1) say('waiting for another set-up to end');
    if (holderIsGone(lock)) release(lock);
    else await sleep(200);
  }
  try {
    writeFileSync(path.join(lock, String(process.pid)), '');
    work();
  } finally {
    release(lock);
  }
}

/** @param {string} lock */
function holderIsGone(lock) {
  try {
    const [pid] = readdirSync(lock);
    // It was made a moment ago and is about to be signed, or its maker died in between.
    if (pid === undefined) return Date.now() - statSync(lock).mtimeMs > 5000;
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'ESRCH';
  }
}

/** @param {string} lock */
function release(lock) {
  rmSync(lock, { recursive: true, force: true });
}

/** @param {{ examples?: boolean }} [options] */
export async function setup({ examples = false } = {}) {
  checkNode();
  await withLock(() => {
    installDependencies();
    buildAddon();
    compile('lib', 'tsconfig.json', 'lib', 'dist', ['lib', 'types']);
    if (examples)
      compile('examples', 'examples/tsconfig.json', 'examples', 'dist-examples', ['examples', 'lib', 'types']);
  });
}

/**
 * Runs the main function of a script; what has been explained already is not explained again.
 * @param {() => Promise<number | void>} main
 */
export async function runMain(main) {
  try {
    process.exitCode = (await main()) ?? 0;
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    process.exitCode = 1;
  }
}

if (isMain(import.meta.url)) await runMain(() => setup({ examples: process.argv.includes('--examples') }));
