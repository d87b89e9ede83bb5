// Certificates, keys and the many forms in which node:tls takes them.
import { KeyObject, X509Certificate } from 'node:crypto';
import { invalidArgType, invalidArgValue } from './coded-error.ts';
import { asBytes } from './validate.ts';

/** PEM or DER; a string is PEM text. */
export type PemOrDer = string | NodeJS.ArrayBufferView;

export interface PemWithPassphrase {
  readonly pem: PemOrDer;
  /** Instead of the option passphrase. */
  readonly passphrase?: string | undefined;
}

export interface PfxWithPassphrase {
  readonly buf: PemOrDer;
  /** Instead of the option passphrase. */
  readonly passphrase?: string | undefined;
}

export type CertificateOption = PemOrDer | X509Certificate | readonly (PemOrDer | X509Certificate)[];
export type KeyOption =
  | PemOrDer
  | KeyObject
  | readonly (PemOrDer | KeyObject | PemWithPassphrase)[]
  | PemWithPassphrase;
export type PfxOption = PemOrDer | PfxWithPassphrase | readonly (PemOrDer | PfxWithPassphrase)[];

/** A secret and what opens it. */
export interface Locked {
  readonly data: Uint8Array;
  readonly passphrase?: Uint8Array;
}

const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === false || value === '';

function present(value: unknown, name: string): (readonly [item: unknown, name: string])[] | undefined {
  if (isAbsent(value)) return undefined;
  const items = asArray(value)
    .map((item, index) => [item, Array.isArray(value) ? `${name}[${index}]` : name] as const)
    .filter(([item]) => !isAbsent(item));
  return items.length === 0 ? undefined : items;
}

function contentOf(value: unknown, name: string): Uint8Array {
  const bytes = asBytes(value, name);
  if (bytes.length === 0) throw invalidArgValue(name, 'must not be empty', bytes);
  return bytes;
}

/** Options cert, ca, crl: one or many. */
export function certificateList(value: unknown, name: string): Uint8Array[] | undefined {
  return present(value, name)?.map(([item, at]) => (item instanceof X509Certificate ? item.raw : contentOf(item, at)));
}

function locked(data: Uint8Array, passphrase: string | undefined): Locked {
  return passphrase === undefined ? { data } : { data, passphrase: Buffer.from(passphrase) };
}

function passphraseOf(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
  return value;
}

function exportKey(key: KeyObject, name: string): Uint8Array {
  if (key.type !== 'private') throw invalidArgValue(name, `must be a private key, not a ${key.type} one`, key);
  return key.export({ type: 'pkcs8', format: 'der' });
}

/** `{ pem, passphrase }` or `{ buf, passphrase }` apart from the plain forms. */
function unwrap(item: unknown, field: 'pem' | 'buf', name: string, shared: string | undefined): Locked {
  if (item instanceof KeyObject) return { data: exportKey(item, name) };
  if (typeof item === 'object' && item !== null && field in item) {
    const { [field]: data, passphrase } = item as Record<string, unknown>;
    const own = passphraseOf(passphrase, `${name}.passphrase`) ?? shared;
    return unwrap(data, field, `${name}.${field}`, own);
  }
  return locked(contentOf(item, name), shared);
}

/** Option key. */
export function keyList(value: unknown, passphrase: unknown): Locked[] | undefined {
  const shared = passphraseOf(passphrase, 'options.passphrase');
  return present(value, 'options.key')?.map(([item, at]) => unwrap(item, 'pem', at, shared));
}

/** Option pfx; a string holds bytes, as in node:tls. */
export function pfxList(value: unknown, passphrase: unknown): Locked[] | undefined {
  const shared = passphraseOf(passphrase, 'options.passphrase');
  const bytes = (item: unknown): unknown => (typeof item === 'string' ? Buffer.from(item, 'latin1') : item);
  return present(value, 'options.pfx')?.map(([item, at]) => unwrap(bytes(item), 'buf', at, shared));
}
