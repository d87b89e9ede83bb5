// Certificates, keys and the many forms in which they are given: node:tls's own, files, and places that OpenSSL opens.
import { KeyObject, X509Certificate } from 'node:crypto';
import type { NativeCredentials, NativeInput, NativeSealedInput, NativeStoreInput } from '../../types/binding.d.ts';
import { invalidArgType, invalidArgValue } from '../base/coded-error.ts';
import { fileList, refusePem } from '../base/option-files.ts';
import { asBytes, validateString, validateText } from '../base/validate.ts';
import { answerAtOnce, type Passphrase, passphraseOption } from './passphrase.ts';

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
/** One path, or several. */
export type FileOption = string | readonly string[];

/** Who a context, or one connection, is. */
export interface CredentialOptions {
  /**
   * Own certificate chains, each leaf first: PEM, DER (leaf alone) or X509Certificate; one for each key type.
   * SSL_CTX_use_certificate(3), SSL_CTX_set1_chain(3).
   */
  readonly cert?: CertificateOption | undefined;
  /** The same from files: SSL_CTX_use_certificate_chain_file(3), SSL_CTX_use_certificate_file(3). */
  readonly certFile?: FileOption | undefined;
  /** The same by URI, as `keyUri`; leaf first. */
  readonly certUri?: FileOption | undefined;
  /**
   * Private keys of the certificates: PEM, DER (PKCS #8, or the traditional forms of RSA and EC) or KeyObject.
   * SSL_CTX_use_PrivateKey(3), SSL_CTX_use_PrivateKey_ASN1(3), SSL_CTX_use_RSAPrivateKey_ASN1(3).
   */
  readonly key?: KeyOption | undefined;
  /** The same from files: SSL_CTX_use_PrivateKey_file(3), SSL_CTX_use_RSAPrivateKey_file(3). */
  readonly keyFile?: FileOption | undefined;
  /**
   * The same by URI: `file:`, or what a provider that is loaded serves, such as `pkcs11:`. The key stays in its device.
   * OSSL_STORE_open_ex(3), OpenSSL 3.0. Opening may block until the device answers.
   */
  readonly keyUri?: FileOption | undefined;
  /** Keys and certificates in PKCS #12. PKCS12_parse(3). */
  readonly pfx?: PfxOption | undefined;
  /** The same from files. */
  readonly pfxFile?: FileOption | undefined;
  /**
   * Opens keys, `pfx` and what is behind URIs: text, or a function that is called for each that asks for one:
   * SSL_CTX_set_default_passwd_cb(3). A function that gives a promise needs {@link SslContext.create} or connect().
   */
  readonly passphrase?: Passphrase | undefined;
}

const asArray = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [value]);

const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === false || value === '';

interface Item {
  readonly item: unknown;
  /** `options.key[0]`, for what is checked here. */
  readonly at: string;
  /** `key[0]`, for what OpenSSL says. */
  readonly name: string;
}

function present(value: unknown, option: string): Item[] | undefined {
  if (isAbsent(value)) return undefined;
  const items = asArray(value)
    .map((item, index) => ({ item, at: Array.isArray(value) ? `options.${option}[${index}]` : `options.${option}` }))
    .filter(({ item }) => !isAbsent(item))
    .map((item, index) => ({ ...item, name: `${option}[${index}]` }));
  return items.length === 0 ? undefined : items;
}

function contentOf(value: unknown, name: string): Uint8Array {
  const bytes = asBytes(value, name);
  if (bytes.length === 0) throw invalidArgValue(name, 'must not be empty', bytes);
  return bytes;
}

/** Options cert, ca, crl and their like: one or many. */
export function certificateList(value: unknown, option: string): NativeInput[] | undefined {
  return present(value, option)?.map(({ item, at, name }) => ({
    name,
    data: item instanceof X509Certificate ? item.raw : contentOf(item, at),
  }));
}

/** Two lists as one; undefined if neither is there. */
export function joined<T>(...lists: readonly (readonly T[] | undefined)[]): T[] | undefined {
  const all = lists.flatMap(list => list ?? []);
  return all.length === 0 ? undefined : all;
}

function exportKey(key: KeyObject, name: string): Uint8Array {
  if (key.type !== 'private') throw invalidArgValue(name, `must be a private key, not a ${key.type} one`, key);
  return key.export({ type: 'pkcs8', format: 'der' });
}

function ownPassphrase(value: unknown, name: string): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
  return Buffer.from(value);
}

/** `{ pem, passphrase }` or `{ buf, passphrase }` apart from the plain forms. */
function unwrap({ item, at, name }: Item, field: 'pem' | 'buf', shared: Uint8Array | undefined): NativeSealedInput {
  if (item instanceof KeyObject) return { name, data: exportKey(item, at) };
  if (typeof item === 'object' && item !== null && field in item) {
    const { [field]: inner, passphrase } = item as Record<string, unknown>;
    const own = ownPassphrase(passphrase, `${at}.passphrase`) ?? shared;
    return unwrap({ item: inner, at: `${at}.${field}`, name }, field, own);
  }
  return sealed({ name, data: contentOf(item, at) }, shared);
}

const sealed = <T extends object>(input: T, passphrase: Uint8Array | undefined): T & { passphrase?: Uint8Array } =>
  passphrase === undefined ? input : { ...input, passphrase };

/** A string holds bytes, as in node:tls. */
const pfxBytes = (entry: Item): Item =>
  typeof entry.item === 'string' ? { ...entry, item: Buffer.from(entry.item, 'latin1') } : entry;

function uriList(value: unknown, option: string, shared: Uint8Array | undefined): NativeStoreInput[] | undefined {
  return present(value, option)?.map(({ item, at }) => {
    validateString(item, at);
    refusePem(item, at);
    return sealed({ name: `${option} '${withoutPin(item)}'`, uri: validateText(item, at) }, shared);
  });
}

/** RFC 7512: a PIN may be part of the URI, and messages end in logs. */
const withoutPin = (uri: string): string => uri.replace(/\bpin-value=[^&;]*/g, 'pin-value=…');

/** Leaves out what is undefined, which native code would take for a value. */
export function defined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined)) as Defined<T>;
}

export type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** All that says who somebody is, with `shared` to open what is locked. */
function collect(options: CredentialOptions, shared: Uint8Array | undefined): NativeCredentials {
  const sealedFiles = (value: unknown, option: string) => fileList(value, option)?.map(file => sealed(file, shared));
  return defined({
    cert: joined(certificateList(options.cert, 'cert'), fileList(options.certFile, 'certFile')),
    certUri: uriList(options.certUri, 'certUri', shared),
    key: joined(
      present(options.key, 'key')?.map(entry => unwrap(entry, 'pem', shared)),
      sealedFiles(options.keyFile, 'keyFile'),
    ),
    keyUri: uriList(options.keyUri, 'keyUri', shared),
    pfx: joined(
      present(options.pfx, 'pfx')?.map(entry => unwrap(pfxBytes(entry), 'buf', shared)),
      sealedFiles(options.pfxFile, 'pfxFile'),
    ),
  });
}

/** What says who somebody is, in native terms. A passphrase that is a function is asked, and must answer at once. */
export function nativeCredentials(options: CredentialOptions): NativeCredentials {
  const passphrase = passphraseOption(options.passphrase);
  if (typeof passphrase !== 'function') return collect(options, passphrase);
  return answerAtOnce(collect(options, undefined), passphrase);
}

/** What is locked, without an answer yet. */
export const lockedCredentials = (options: CredentialOptions): NativeCredentials => collect(options, undefined);
