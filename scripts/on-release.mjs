// Programs of the tests on another OpenSSL than the system's.

import path from 'node:path';
import process from 'node:process';
import { fetchNode } from './fetch-node.mjs';
import { opensslRelease } from './openssl-release.mjs';
import { root, Stop } from './run.mjs';

/**
 * The other version of node that the tests use, if there is one.
 * @param {(program: string, name: string) => string} copy
 */
function otherNode(copy) {
  try {
    return { SYSTEM_TLS_NODE_24: copy(fetchNode('24'), 'node-24') };
  } catch (error) {
    if (error instanceof Stop) return {};
    throw error;
  }
}

/**
 * The copies: node, the program `openssl` and others share one folder, which comes first on the PATH.
 * @param {string} where  a version or a folder, see opensslRelease()
 * @param {string} [node]  the program; default: the one that runs this
 */
export function onRelease(where, node = process.execPath) {
  const release = opensslRelease(where);
  const folder = path.join(root, '.cache/on-openssl', `${path.basename(release.prefix)}-${nameOf(node)}`);
  const copy = (/** @type {string} */ program, /** @type {string} */ name) => release.copy(program, folder, name);
  copy(path.join(release.prefix, 'usr/bin/openssl'), 'openssl');
  const env = { ...release.env, PATH: `${folder}${path.delimiter}${process.env.PATH ?? ''}`, ...otherNode(copy) };
  return { node: copy(node, 'node'), copy, env };
}

/** One folder for each node. @param {string} node */
const nameOf = node => /node-(\d+)/.exec(path.relative(root, node))?.[0] ?? 'node';
