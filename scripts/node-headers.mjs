// Where the headers of the running node are.

import path from 'node:path';

/** @typedef {import('./find-openssl.mjs').Machine} Machine */

/**
 * The value of one key in an .npmrc.
 * @param {string} text
 * @param {string} key
 */
export function npmrcValue(text, key) {
  const line = text.split('\n').find(candidate => candidate.replace(/\s/g, '').startsWith(`${key}=`));
  return line
    ?.slice(line.indexOf('=') + 1)
    .trim()
    .replace(/^(["'])(.*)\1$/, '$2');
}

/**
 * What node-gyp's --nodedir shall be; undefined: node-gyp fetches the headers by itself. npm is about to stop passing
 * its nodedir setting on, so it is read here.
 * @param {Machine} machine
 * @param {string} execPath
 * @returns {string | undefined}
 */
export function findNodeDirectory(machine, execPath) {
  const prefix = path.dirname(path.dirname(execPath));
  if (machine.exists(path.join(prefix, 'include/node/node.h'))) return prefix;
  if (machine.env.npm_config_nodedir) return machine.env.npm_config_nodedir;
  const npmrc = machine.env.npm_config_userconfig ?? path.join(machine.env.HOME ?? '/', '.npmrc');
  return machine.exists(npmrc) ? npmrcValue(machine.read(npmrc), 'nodedir') : undefined;
}
