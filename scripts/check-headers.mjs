// Proves, with the compiler's own list of the files it read, that both builds take OpenSSL's headers from the system
// and none from node, whose headers contain an openssl/ of node's own.

import { execFile } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';
import { cmakeJs, debugFolder, nodeHeaders } from './build-debug.mjs';
import { findOpenssl, thisMachine } from './find-openssl.mjs';
import { isMain, root, runTool, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

/** @typedef {{ directory: string, file: string, command?: string, arguments?: string[] }} CompileCommand */

/**
 * The OpenSSL headers among the files in a dependency list (-M) that do not lie in the chosen folder.
 * @param {string} dependencies
 * @param {string} includeDir
 */
export function strangers(dependencies, includeDir) {
  const files = dependencies.replace(/\\\n/g, ' ').split(/\s+/).slice(1);
  const openssl = files.filter(file => /\/openssl\/\w+\.h$/.test(file) && !file.includes('/native/openssl/'));
  return { openssl, wrong: openssl.filter(file => !isSystemHeader(file, includeDir)) };
}

/**
 * Debian keeps the headers that depend on the processor in a folder of their own beside the others.
 * @param {string} file
 * @param {string} includeDir
 */
function isSystemHeader(file, includeDir) {
  const folder = path.dirname(path.dirname(path.normalize(file)));
  return !folder.endsWith('/node') && (folder === includeDir || path.dirname(folder) === includeDir);
}

/** @param {string} command  as a shell would take it */
function words(command) {
  return [...command.matchAll(/"((?:[^"\\]|\\.)*)"|((?:\\.|\S)+)/g)].map(([, quoted, bare = '']) =>
    (quoted ?? bare).replace(/\\(.)/g, '$1'),
  );
}

/** What the compiler does besides reading; gyp names no compiler where make chooses it. */
const ACTIONS = /^(-c|-MM?D|-o|-MF)$/;

/**
 * @param {CompileCommand} entry
 * @returns {Promise<string>}
 */
async function dependenciesOf(entry) {
  const all = entry.arguments ?? words(entry.command ?? '');
  const compiler = all[0] && !all[0].startsWith('-') ? all[0] : (process.env.CXX ?? 'c++');
  const flags = all.slice(all[0] === compiler ? 1 : 0);
  const kept = flags.filter((word, i) => !ACTIONS.test(word) && !/^-(o|MF)$/.test(flags[i - 1] ?? ''));
  const options = { cwd: entry.directory, maxBuffer: 64 * 1024 * 1024 };
  return (await promisify(execFile)(compiler, [...kept, '-M'], options)).stdout;
}

/** The compile commands of the shipping build, without building. */
function shippingCommands() {
  const nodeDirectory = path.dirname(path.dirname(nodeHeaders()));
  const args = ['configure', '--loglevel=error', `--nodedir=${nodeDirectory}`, '--', '-f', 'compile_commands_json'];
  if (runTool('node-gyp/bin/node-gyp.js', args) !== 0) throw new Stop('node-gyp could not configure');
  return path.join(root, 'build/Release/compile_commands.json');
}

/**
 * @param {string} build
 * @param {string} database
 * @param {string} includeDir
 */
async function check(build, database, includeDir) {
  if (!existsSync(database)) throw new Stop(`${database} is absent`);
  /** @type {CompileCommand[]} */
  const commands = JSON.parse(readFileSync(database, 'utf8'));
  const users = commands.filter(({ file }) => file.includes('native/'));
  let [headers, wrongOnes] = [0, 0];
  const queue = [...users];
  const work = async () => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) {
      const { openssl, wrong } = strangers(await dependenciesOf(entry), includeDir);
      headers += openssl.length;
      wrongOnes += wrong.length;
      for (const file of wrong) console.error(`${build}: ${entry.file} includes ${file}, which is not the system's`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, work));
  if (wrongOnes > 0) return false;
  if (headers === 0) throw new Stop(`${build}: no source includes OpenSSL, so nothing was checked`);
  console.log(`${build}: ${users.length} sources, ${headers} inclusions of OpenSSL, all from ${includeDir}`);
  return true;
}

export async function checkHeaders() {
  const includeDir = realpathSync(findOpenssl(thisMachine())?.includeDir ?? '/usr/include');
  const shipping = await check('binding.gyp', shippingCommands(), includeDir);
  if (cmakeJs('configure') !== 0) throw new Stop('cmake-js could not configure');
  const developers = await check('CMakeLists.txt', path.join(debugFolder, 'compile_commands.json'), includeDir);
  return shipping && developers;
}

if (isMain(import.meta.url)) await runMain(async () => ((await checkHeaders()) ? 0 : 1));
