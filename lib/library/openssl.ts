import type { OpensslFeatures } from '../../types/binding.d.ts';
import { binding } from '../native/load-binding.ts';
import { type RehashOptions, type RehashResult, rehash } from './rehash.ts';

export type { OpensslFeatures };

/** The OpenSSL in use: the operating system's, not the one in `process.versions.openssl`. */
export interface OpenSsl {
  /** For instance `'3.0.19'`: OpenSSL_version(3) with OPENSSL_VERSION_STRING. */
  readonly version: string;
  /** `0xMNN00PP0`: OpenSSL_version_num(3). */
  readonly versionNumber: number;
  /** The absolute path of the loaded libssl. */
  readonly libssl: string;
  /** The absolute path of the loaded libcrypto. */
  readonly libcrypto: string;
  /** The folder of `openssl.cnf` and of the default certificates: OPENSSL_info(3) with OPENSSL_INFO_CONFIG_DIR. */
  readonly directory: string;
  /** The folder that providers are loaded from, unless OPENSSL_MODULES names another. */
  readonly modulesDirectory: string;
  /**
   * Always true: it was proved while loading, by the addresses of functions and by an error provoked inside libssl,
   * that no call lands in the OpenSSL that node brings along. Where the proof fails, importing this package throws
   * an error with the code `ERR_SYSTEM_TLS_NOT_ISOLATED`.
   */
  readonly isolated: boolean;
  /** What this library, as it is configured, can do. */
  readonly features: Readonly<OpensslFeatures>;
  /**
   * Loads a provider for the rest of the process, without the module's calls landing in node's own OpenSSL. The
   * default provider stays: OSSL_PROVIDER_try_load(3) with its fallbacks retained.
   *
   * @param name - for instance `'legacy'`; found in {@link modulesDirectory}, in OPENSSL_MODULES, or by the
   * configuration file
   * @throws Error with the code `ERR_SYSTEM_TLS_PROVIDER` if OpenSSL cannot load it, `ERR_SYSTEM_TLS_NOT_ISOLATED` if
   * other code had loaded the module before
   */
  loadProvider(name: string): void;
  /**
   * Gives the certificates and CRLs of a folder, one in each file (.pem, .crt, .cer, .crl, in PEM), the names under which
   * OpenSSL looks for them in a `caPath`, as the program `openssl rehash` does: X509_NAME_hash_ex(3), OpenSSL 3.0. Links
   * that lead to nothing any more are removed. What gets no name is told in `skipped`, file by file, and so is what
   * stands under such a name and is not ours: it stays, and may hide others (`HIDDEN`).
   *
   * @throws Error with the code of the system if the folder cannot be read or written: `ENOENT`, `EACCES`
   */
  rehash(directory: string, options?: RehashOptions): Promise<RehashResult>;
}

const { version, versionNumber, libssl, libcrypto, directory, modulesDirectory, isolated, features } =
  binding.opensslInfo();

export const openssl: OpenSsl = Object.freeze({
  version,
  versionNumber,
  libssl,
  libcrypto,
  directory,
  modulesDirectory,
  isolated,
  features: Object.freeze({ ...features }),
  loadProvider(name: string): void {
    binding.loadProvider(name);
  },
  rehash,
});
