// The developer build of the addon with cmake-js: out/debug/build/Debug/system_tls.node and compile_commands.json.

import { copyFileSync, realpathSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { thisMachine } from './find-openssl.mjs';
import { findNodeDirectory } from './node-headers.mjs';
import { isMain, root, runTool, Stop } from './run.mjs';
import { runMain } from './setup.mjs';

export const debugFolder = path.join(root, 'out/debug');

/** The folder that holds node.h and uv.h. */
export function nodeHeaders() {
  const directory = findNodeDirectory(thisMachine(), realpathSync(process.execPath));
  if (directory) return path.join(directory, 'include/node');
  const message = "node's headers were not found; name the folder that holds include/node in npm_config_nodedir";
  console.error(message);
  throw new Stop(message);
}

/** @param {'configure' | 'build'} step */
export function cmakeJs(step) {
  const args = [step, '--debug', `--out=${debugFolder}`, `--CDSYSTEM_TLS_NODE_HEADERS=${nodeHeaders()}`];
  const code = runTool('cmake-js/bin/cmake-js', [...args, '--log-level=error']);
  if (code === 0)
    copyFileSync(path.join(debugFolder, 'compile_commands.json'), path.join(root, 'compile_commands.json'));
  return code;
}

if (isMain(import.meta.url)) {
  await runMain(async () => {
    const code = cmakeJs('build');
    if (code === 0)
      console.log('Use it with SYSTEM_TLS_PREBUILD=out/debug, for instance: SYSTEM_TLS_PREBUILD=out/debug npm test');
    return code;
  });
}
