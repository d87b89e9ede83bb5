// Whom a context trusts that names nobody: the system's store, unless node was told otherwise; and what asks for it or changes it.
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { delimiter, join } from 'node:path';
import { invalidArgType, invalidArgValue } from '../base/coded-error.ts';
import { openssl } from '../library/openssl.ts';
import { isHashedName } from '../library/rehash.ts';
import { nodeTls } from './node-tls.ts';

/** What PEM_read_bio_X509(3) takes, as node does; a TRUSTED CERTIFICATE says itself what it is trusted for. */
const pem = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]+-----END [^-]+-----/g;

export type Certificates = readonly (string | NodeJS.ArrayBufferView)[];
export type CertificateStore = 'default' | 'system' | 'bundled' | 'extra';

/** Since 22.19. */
const setByNode = nodeTls['setDefaultCACertificates'] as ((certificates: Certificates) => void) | undefined;

// --------------------------------------------------------------------------------------------------------------------
// What node was told

/** node's own flags, from the environment and the command line: the last one counts. */
function flag(name: string): boolean {
  const given = [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv];
  const spelt = given.map(each => each.replaceAll('_', '-').replaceAll('"', ''));
  return spelt.lastIndexOf(`--${name}`) > spelt.lastIndexOf(`--no-${name}`);
}

/** As they were when the process began. */
const asked = {
  bundled: flag('use-bundled-ca'),
  system: flag('use-system-ca') || flag('use-openssl-ca') || process.env['NODE_USE_SYSTEM_CA'] === '1',
};

/** Read once, as node does, which warns of a file that it cannot use, and takes what stands before a block that is damaged. */
const extra = goodOf(readText(process.env['NODE_EXTRA_CA_CERTS']));

function goodOf(text: string | undefined): readonly string[] {
  const blocks = text?.match(pem) ?? [];
  const damaged = blocks.findIndex(block => !isCertificate(block));
  return damaged < 0 ? blocks : blocks.slice(0, damaged);
}

function isCertificate(block: string): boolean {
  try {
    return new X509Certificate(block).raw.length > 0;
  } catch {
    return false;
  }
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
  return [...new Set(files.flatMap(file => readText(file)?.match(pem) ?? []))];
}

let none: boolean | undefined;

/**
 * Whether the system has no certificate at all, as in an image that holds little else than node. Who names a file or a folder in the
 * environment has said whom to trust, also where there is nothing.
 */
function systemHasNone(): boolean {
  if (process.env['SSL_CERT_FILE'] !== undefined || process.env['SSL_CERT_DIR'] !== undefined) return false;
  none ??= systemFolders().flatMap(hashedIn).length === 0 && !readText(systemFile())?.match(pem);
  return none;
}

// --------------------------------------------------------------------------------------------------------------------
// Trust by default

/** Of setDefaultCACertificates(). */
let chosen: readonly string[] | undefined;

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
  if (chosen !== undefined) return { systemCa: false, ca: chosen };
  const { system, bundled } = sources();
  const ca = [...(bundled ? nodeTls.rootCertificates : []), ...extra];
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
    ...(extra.length === 0 ? [] : [`NODE_EXTRA_CA_CERTS (${process.env['NODE_EXTRA_CA_CERTS']})`]),
  ];
  return parts.join(' and ');
}

function inStore(store: CertificateStore): readonly string[] {
  if (store === 'system') return systemCertificates();
  if (store === 'bundled') return nodeTls.rootCertificates;
  if (store === 'extra') return extra;
  if (chosen !== undefined) return chosen;
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
  return (text.match(pem) ?? []).map(block => new X509Certificate(block).toString());
}

/** tls.setDefaultCACertificates(), of contexts that are made from now on; those of node's own OpenSSL get them too. */
export function setDefaultCACertificates(certs: Certificates): void {
  const list = checked(certs);
  setByNode?.call(nodeTls, certs);
  chosen = list;
}

/** Nothing is set where something is wrong, which node says in its own words. */
function checked(certs: unknown): readonly string[] {
  try {
    if (!Array.isArray(certs)) throw invalidArgType('certs', 'an array', certs);
    const list = [...new Set(certs.flatMap(certificatesOf))];
    if (list.length === 0 && certs.length > 0) throw invalidArgValue('certs', 'has no certificate in PEM', certs);
    return list;
  } catch (error) {
    setByNode?.call(nodeTls, certs as Certificates);
    throw error;
  }
}

// A process has one default, whoever sets it.
if (setByNode !== undefined) {
  Object.assign(nodeTls, { setDefaultCACertificates });
  syncBuiltinESMExports();
}
