// Whom a context trusts, in native terms.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { NativeContextOptions } from '../../types/binding.d.ts';
import { invalidArgValue, tlsError } from '../base/coded-error.ts';
import { fileList, refusePem, unreadable } from '../base/option-files.ts';
import { optionalBoolean, optionalString, validateOneOf, validateText } from '../base/validate.ts';
import { isCandidate, isHashedName } from '../library/rehash.ts';
import {
  type CertificateOption,
  certificateList,
  defined,
  type FileOption,
  joined,
  type PemOrDer,
} from './credentials.ts';

/** The options of a context that say whom it trusts. */
export interface TrustOptions {
  /**
   * Certificates to trust, instead of the system's; an empty list trusts nobody. A server also names them when it asks for a
   * certificate.
   */
  readonly ca?: CertificateOption | undefined;
  /** A file of certificates to trust, read by OpenSSL: SSL_CTX_load_verify_locations(3). */
  readonly caFile?: string | undefined;
  /**
   * A folder of certificates to trust, under the names that {@link OpenSsl.rehash} gives: SSL_CTX_load_verify_locations(3).
   * OpenSSL looks there when it needs one; sessions remember what was there when the context was made, so a new context
   * after a change resumes none from before. It is read for that (5 ms for 150 files): share a context.
   */
  readonly caPath?: string | undefined;
  /** Trust what the system trusts: SSL_CTX_set_default_verify_paths(3). By default if no other trust is named. */
  readonly systemCa?: boolean | undefined;
  /**
   * Each trusted certificate ends a chain, not only one that has signed itself: an intermediate CA, whose own issuer is not
   * trusted then, or the peer's own certificate; default false. The authorities that come with a `pfx` are trusted too.
   * X509_V_FLAG_PARTIAL_CHAIN.
   */
  readonly allowPartialTrustChain?: boolean | undefined;
  /** Revocation lists, PEM or DER; with any, every certificate of a chain is looked up, unless `crlCheck` says less. */
  readonly crl?: PemOrDer | readonly PemOrDer[] | undefined;
  /** The same from files. */
  readonly crlFile?: FileOption | undefined;
  /**
   * Whether the `'leaf'` alone or every certificate of the `'chain'` must not be on its issuer's list, which must be there:
   * in `crl`, in `crlFile`, in `caFile`, or in `caPath` under a hashed name. X509_V_FLAG_CRL_CHECK,
   * X509_V_FLAG_CRL_CHECK_ALL.
   */
  readonly crlCheck?: 'leaf' | 'chain' | undefined;
  /**
   * The certificates whose names a server sends when it asks for one, instead of those of `ca`; an empty array sends
   * none. Trust is another matter. SSL_CTX_set_client_CA_list(3).
   */
  readonly clientCa?: CertificateOption | undefined;
  /** The same from files: SSL_load_client_CA_file(3). */
  readonly clientCaFile?: FileOption | undefined;
  /**
   * The certificates whose names a client sends, so that a server with several certificates can choose: the extension
   * certificate_authorities of TLS 1.3 (RFC 8446 section 4.2.4), of 32 KiB at the most. Default: none are sent. That
   * makes nobody trusted, and binds no server. What a server sends is `clientCa`. Not for DTLS. SSL_CTX_set0_CA_list(3).
   */
  readonly authorities?: CertificateOption | undefined;
}

type Trust = Pick<
  NativeContextOptions,
  'ca' | 'caFile' | 'caPath' | 'systemCa' | 'partialChain' | 'crl' | 'crlCheck' | 'clientCa' | 'authorities'
>;

function path(value: unknown, name: string): string | undefined {
  const given = optionalString(value, name);
  if (given === '') throw invalidArgValue(name, 'must not be empty', given);
  if (given === undefined) return undefined;
  refusePem(given, name);
  return validateText(given, name);
}

/** OpenSSL says little of files that are not what they should be. */
function caFileOf(value: unknown): string | undefined {
  const file = path(value, 'options.caFile');
  if (file === undefined) return undefined;
  try {
    // A pipe can only be read once, and OpenSSL is to have it.
    if (statSync(file).isFile() && readFileSync(file).length === 0) {
      throw tlsError('ERR_TLS_INVALID_INPUT', `caFile '${file}' is empty`);
    }
    if (statSync(file).isDirectory())
      throw Object.assign(new Error('is a folder'), { code: 'EISDIR', syscall: 'read' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error;
    throw unreadable('caFile', file, error);
  }
  return file;
}

/** OpenSSL looks into it when an issuer is missing, and takes what cannot be read for empty. */
function caPathOf(value: unknown): string | undefined {
  const folder = path(value, 'options.caPath');
  if (folder === undefined) return undefined;
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch (error) {
    throw unreadable('caPath', folder, error);
  }
  // An empty one may be filled later.
  if (names.some(isCandidate) && !names.some(isHashedName)) {
    throw tlsError(
      'ERR_TLS_CA_PATH_NOT_HASHED',
      `caPath '${folder}' holds certificates, but none under the hashed names that OpenSSL looks for: ` +
        'call openssl.rehash() with it, or the program "openssl rehash"',
    );
  }
  return folder;
}

function crlCheckOf(value: unknown): 'leaf' | 'chain' | undefined {
  if (value === undefined || value === null) return undefined;
  validateOneOf(value, 'options.crlCheck', ['leaf', 'chain']);
  return value;
}

/** An empty list names nobody, which is not the same as no list. */
const nobodyOf = (list: unknown): [] | undefined => (Array.isArray(list) && list.length === 0 ? [] : undefined);

export function nativeTrust(options: TrustOptions): Trust {
  const ca = certificateList(options.ca, 'ca') ?? nobodyOf(options.ca);
  const caFile = caFileOf(options.caFile);
  const caPath = caPathOf(options.caPath);
  const named = ca !== undefined || caFile !== undefined || caPath !== undefined;
  const clientCa = joined(
    certificateList(options.clientCa, 'clientCa'),
    fileList(options.clientCaFile, 'clientCaFile'),
  );
  const partialChain = optionalBoolean(options.allowPartialTrustChain, 'options.allowPartialTrustChain', false);
  return {
    ...defined({
      ca,
      caFile,
      caPath,
      crl: joined(certificateList(options.crl, 'crl'), fileList(options.crlFile, 'crlFile')),
      crlCheck: crlCheckOf(options.crlCheck),
      clientCa: clientCa ?? nobodyOf(options.clientCa),
      authorities: certificateList(options.authorities, 'authorities'),
    }),
    ...(partialChain && { partialChain }),
    systemCa: optionalBoolean(options.systemCa, 'options.systemCa', !named),
  };
}
