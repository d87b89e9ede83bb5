#!/usr/bin/env node
// Writes lib/errors/reason-codes.ts from the headers of the installed OpenSSL (and of any other given as arguments: the
// numbers of all versions are compatible, a newer header knows more of them).
//
//   node scripts/generate-reason-codes.mjs [include folder ...]
//
// OpenSSL's texts change between versions, its numbers do not: so codes are looked up by number.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const target = path.join(root, 'lib/errors/reason-codes.ts');

/** Libraries that node:tls names in a code (ERR_OSSL_PEM_NO_START_LINE); the others it leaves out (ERR_OSSL_UNSUPPORTED). */
const namedLibraries = new Set(
  (
    'SYS BN RSA DH EVP BUF OBJ PEM DSA X509 ASN1 CONF CRYPTO EC BIO PKCS7 X509V3 PKCS12 RAND DSO ENGINE OCSP UI COMP ECDSA ' +
    'ECDH OSSL_STORE FIPS CMS TS HMAC CT ASYNC KDF SM2 USER'
  ).split(' '),
);

/** Prefixes of reason macros that differ from the library's own name in err.h. @type {Record<string, string>} */
const libraryOfPrefix = { OSSL_DECODER: 'OSSL_DECODER', OSSL_ENCODER: 'OSSL_ENCODER' };

/** Where the macro's name is not the code that users know. @type {Record<string, Record<string, string>>} */
const renamed = { SSL: { UNEXPECTED_EOF_WHILE_READING: 'UNEXPECTED_EOF' } };

/**
 * @param {string} text
 * @param {RegExp} pattern
 * @returns {string[][]}
 */
function defines(text, pattern) {
  return [...text.matchAll(pattern)].map(match => match.slice(1));
}

/** @param {string} folder */
function readHeaders(folder) {
  const headers = path.join(folder, 'openssl');
  /** @param {string} name */
  const read = name => readFileSync(path.join(headers, name), 'utf8').replaceAll('\\\n', ' ');
  return {
    libraries: new Map(
      defines(read('err.h'), /^#\s*define\s+ERR_LIB_(\w+)\s+(\d+)\s*$/gm).map(([n = '', v]) => [n, Number(v)]),
    ),
    common: common(read('err.h')),
    reasons: readdirSync(headers)
      .filter(name => name.endsWith('err.h') && name !== 'err.h')
      .flatMap(name => defines(read(name), /^#\s*define\s+(\w+?)_R_(\w+)\s+(\d+)/gm)),
    verify: defines(read('x509_vfy.h'), /^#\s*define\s+X509_V_(?:ERR_)?(\w+)\s+(\d+)\s*(?:\/\*.*)?$/gm).filter(
      ([name = '']) => !name.startsWith('FLAG_'),
    ),
  };
}

/**
 * ERR_R_...: reasons that every library may give; `n | ERR_RFLAG_COMMON`, or `ERR_LIB_X | ERR_RFLAG_COMMON`.
 * @param {string} text
 */
function common(text) {
  const own = defines(text, /^#\s*define\s+ERR_R_(\w+)\s+\((\d+)\s*\|/gm);
  const libraries = defines(text, /^#\s*define\s+ERR_R_(\w+_LIB)\s+\(ERR_LIB_\w+\s*\/\*\s*(\d+)\s*\*\//gm);
  return [...own, ...libraries];
}

/** @type {Map<string, Map<number, string>>} */
const codes = new Map();
const libraryNumbers = new Map();
const commonReasons = new Map();
const verifyNames = new Map();

/** @param {string} folder */
function merge(folder) {
  const { libraries, common, reasons, verify } = readHeaders(folder);
  for (const [name, number] of libraries) libraryNumbers.set(name, number);
  for (const [name, number] of common) commonReasons.set(Number(number), name);
  for (const [name, number] of verify) if (!verifyNames.has(Number(number))) verifyNames.set(Number(number), name);
  for (const [prefix = '', name = '', number] of reasons) {
    const library = libraryOfPrefix[prefix] ?? prefix;
    if (!libraries.has(library)) continue;
    const table = codes.get(library) ?? new Map();
    codes.set(library, table);
    // Aliases: the first name of a number is the one in use.
    if (!table.has(Number(number))) table.set(Number(number), renamed[library]?.[name] ?? name);
  }
}

/** @param {string} library */
function prefixOf(library) {
  if (library === 'SSL') return 'ERR_SSL_';
  return namedLibraries.has(library) ? `ERR_OSSL_${library}_` : 'ERR_OSSL_';
}

/** @type {(a: [number, string], b: [number, string]) => number} */
const byNumber = ([a], [b]) => a - b;

/** @param {string[]} pairs */
function wrapped(pairs) {
  const lines = [];
  let line = '';
  for (const pair of pairs) {
    if (line.length + pair.length + 1 > 118) {
      lines.push(line);
      line = '';
    }
    line += line === '' ? pair : ` ${pair}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}

/** @param {Iterable<[number, string]>} entries */
const table = entries => wrapped([...entries].sort(byNumber).map(([number, name]) => `${number}:${name}`)).join('\n');

function render() {
  const libraries = [...libraryNumbers]
    .filter(([name]) => name !== 'NONE' && name !== 'MASK' && name !== 'OFFSET')
    .sort(([, a], [, b]) => a - b)
    .map(([name, number]) => {
      const reasons = codes.get(name);
      const text = reasons === undefined ? '``' : `\`\n${table(reasons)}\n\``;
      if (reasons === undefined) return `  [${number}, '${prefixOf(name)}', ${text}],`;
      return `  [\n    ${number},\n    '${prefixOf(name)}',\n    ${text},\n  ],`;
    });
  return `// Generated by scripts/generate-reason-codes.mjs from the headers of OpenSSL; do not edit.

/** Library number (ERR_LIB_...), what its codes begin with, and its reasons (..._R_...) as "number:name". */
export const libraryReasons: readonly (readonly [library: number, prefix: string, reasons: string])[] = [
${libraries.join('\n')}
];

/** Reasons of every library (ERR_R_...), without their flags. */
export const commonReasons = \`
${table(commonReasons)}
\`;

/** X509_V_OK and X509_V_ERR_..., without prefix, as node:tls names them. */
export const verifyResults = \`
${table(verifyNames)}
\`;
`;
}

function defaultFolders() {
  const folders = [process.env.OPENSSL_INCLUDE_DIR, '/usr/include', '/usr/local/include', '/opt/homebrew/include'];
  return folders
    .filter(folder => folder !== undefined)
    .filter(folder => existsSync(path.join(folder, 'openssl/sslerr.h')))
    .slice(0, 1);
}

const folders = process.argv.length > 2 ? process.argv.slice(2) : defaultFolders();
if (folders.length === 0) {
  console.error('no OpenSSL headers found: give the folder that holds openssl/sslerr.h');
  process.exit(1);
}
for (const folder of folders) merge(folder);
writeFileSync(target, render());
console.log(`${path.relative(process.cwd(), target)}: ${[...codes.values()].reduce((n, t) => n + t.size, 0)} reasons`);
