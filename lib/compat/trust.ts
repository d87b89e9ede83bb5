// Whom a context trusts that names nobody: the system's store, unless node was told otherwise; and what asks for it or changes it.
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { delimiter, join } from 'node:path';
import { invalidArgType, invalidArgValue } from '../base/coded-error.ts';
import { openssl } from '../library/openssl.ts';
import { isHashedName } from '../library/rehash.ts';
import { noCertificates } from './node-errors.ts';
import { nodeTls } from './node-tls.ts';
import { certificateBlocks, plainBlocks, readableCertificates } from './pem.ts';

export type Certificates = readonly (string | NodeJS.ArrayBufferView)[];
export type CertificateStore = 'default' | 'system' | 'bundled' | 'extra';

/** Since 22.19, which has both. */
const setByNode = nodeTls['setDefaultCACertificates'] as ((certificates: Certificates) => void) | undefined;
const toldByNode = nodeTls['getCACertificates'] as ((type: CertificateStore) => string[]) | undefined;

// --------------------------------------------------------------------------------------------------------------------
// What node was told

/** node's own flags, from the environment and the command line: the last one counts. */
function flag(name: string): boolean {
  const words = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv];
  const spelt = words.map(each => each.replaceAll('_', '-').replaceAll('"', ''));
  return spelt.lastIndexOf(`--${name}`) > spelt.lastIndexOf(`--no-${name}`);
}

/** As they were when the process began. */
const asked = {
  bundled: flag('use-bundled-ca'),
  system: flag('use-system-ca') || flag('use-openssl-ca') || process.env['NODE_USE_SYSTEM_CA'] === '1',
};

/** Read once, as node does, which warns of a file that it cannot read to its end. */
const extraText = readText(process.env['NODE_EXTRA_CA_CERTS']) ?? '';
let extra: readonly string[] | undefined;

function extraCertificates(): readonly string[] {
  extra ??= readableCertificates(extraText);
  return extra;
}

function readText(file: string | undefined): string | undefined {
  if (file === undefined || file === '') return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

// --------------------------------------------------------------------------------------------------------------------
// The system's store, where SSL_CTX_set_default_verify_paths(3) looks

function systemFile(): string {
  return process.env['SSL_CERT_FILE'] ?? join(openssl.directory, 'cert.pem');
}

function systemFolders(): string[] {
  return (process.env['SSL_CERT_DIR'] ?? join(openssl.directory, 'certs')).split(delimiter);
}

/** What OpenSSL would find: others than those under hashed names it does not. */
function hashedIn(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter(isHashedName)
      .map(name => join(folder, name));
  } catch {
    return [];
  }
}

function systemCertificates(): string[] {
  const files = [systemFile(), ...systemFolders().flatMap(hashedIn)];
  return [...new Set(files.flatMap(file => certificateBlocks(readText(file) ?? '')))];
}

let none: boolean | undefined;

/**
 * Whether the system has no certificate at all, as in an image that holds little else than node. Who names a file or a folder in the
 * environment has said whom to trust, also where there is nothing.
 */
function systemHasNone(): boolean {
  if (process.env['SSL_CERT_FILE'] !== undefined || process.env['SSL_CERT_DIR'] !== undefined) return false;
  none ??=
    systemFolders().flatMap(hashedIn).length === 0 && certificateBlocks(readText(systemFile()) ?? '').length === 0;
  return none;
}

// --------------------------------------------------------------------------------------------------------------------
// Trust by default

/** Of setDefaultCACertificates(). */
let given: readonly string[] | undefined;

interface DefaultTrust {
  readonly system: boolean;
  readonly bundled: boolean;
}

function sources(): DefaultTrust {
  const bundled = asked.bundled || (!asked.system && systemHasNone());
  return { bundled, system: asked.system || !bundled };
}

/** Options of a context. */
export function defaultTrust(): { readonly systemCa: boolean; readonly ca?: readonly string[] } {
  if (given !== undefined) return { systemCa: false, ca: given };
  const { system, bundled } = sources();
  const ca = [...(bundled ? nodeTls.rootCertificates : []), ...extraCertificates()];
  return { systemCa: system, ...(ca.length > 0 && { ca }) };
}

/** For people. */
export function describeTrust(): string {
  const { system, bundled } = sources();
  const parts = [
    ...(system ? [`the system's store (${[systemFile(), ...systemFolders()].join(', ')})`] : []),
    ...(bundled
      ? [`the certificates that node brings along${asked.bundled ? '' : ', since the system has none'}`]
      : []),
    ...(extraCertificates().length === 0 ? [] : [`NODE_EXTRA_CA_CERTS (${process.env['NODE_EXTRA_CA_CERTS']})`]),
  ];
  return parts.join(' and ');
}

function inStore(store: CertificateStore): readonly string[] {
  if (store === 'system') return systemCertificates();
  if (store === 'bundled') return nodeTls.rootCertificates;
  if (store === 'extra') return extraCertificates();
  if (given !== undefined) return given;
  const { system, bundled } = sources();
  const all = [...(system ? inStore('system') : []), ...(bundled ? inStore('bundled') : []), ...inStore('extra')];
  return [...new Set(all)];
}

const stores = ['default', 'system', 'bundled', 'extra'] as const;

/** tls.getCACertificates(), of what contexts here trust. */
export function getCACertificates(type: CertificateStore = 'default'): string[] {
  if (typeof type !== 'string') throw invalidArgType('type', 'a string', type);
  if (!stores.includes(type)) throw invalidArgValue('type', `must be one of: ${stores.join(', ')}`, type);
  return Object.freeze([...inStore(type)]) as string[];
}

function certificatesOf(each: unknown, index: number): string[] {
  const isBytes = ArrayBuffer.isView(each);
  if (typeof each !== 'string' && !isBytes) throw invalidArgType(`certs[${index}]`, 'a string or bytes', each);
  const text = isBytes ? Buffer.from(each.buffer, each.byteOffset, each.byteLength).toString('latin1') : each;
  return plainBlocks(text).map(block => new X509Certificate(block).toString());
}

/** Where node has no such function, by its rules: it passes over a text without a certificate if another has one. */
function listed(certs: Certificates): readonly string[] {
  if (!Array.isArray(certs)) throw invalidArgType('certs', 'an array', certs);
  const found = certs.flatMap(certificatesOf);
  if (found.length === 0 && certs.length > 0) throw noCertificates();
  return [...new Set(found)];
}

/** tls.setDefaultCACertificates(), of contexts that are made from now on; those of node's own OpenSSL get them too. */
export function setDefaultCACertificates(certs: Certificates): void {
  // What is wrong node says in its own words, and what it has taken of the list it tells.
  setByNode?.call(nodeTls, certs);
  given = setByNode && toldByNode ? toldByNode.call(nodeTls, 'default') : listed(certs);
}

// A process has one default, whoever sets it.
if (setByNode !== undefined) {
  Object.assign(nodeTls, { setDefaultCACertificates });
  syncBuiltinESMExports();
}
