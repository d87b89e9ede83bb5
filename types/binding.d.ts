/**
 * The native surface: everything that the addon exports and nothing else. C++ in native/binding/ and TypeScript in
 * lib/ agree here.
 */
export interface Binding {
  opensslInfo(): OpensslInfo;
  /** Throws an Error with code ERR_SYSTEM_TLS_PROVIDER or ERR_SYSTEM_TLS_NOT_ISOLATED. */
  loadProvider(name: string): void;
}

// native/binding/openssl_info.cc

export interface OpensslInfo {
  version: string;
  versionNumber: number;
  /** The version of the headers that the addon was compiled against. */
  headerVersion: string;
  libssl: string;
  libcrypto: string;
  directory: string;
  modulesDirectory: string;
  isolated: boolean;
  /** The text of the error that the proof of isolation provoked inside libssl and found in libcrypto's queue. */
  provokedError: string;
  features: OpensslFeatures;
}

export interface OpensslFeatures {
  /** TLS 1.3. */
  tls13: boolean;
  /** DTLS 1.2. */
  dtls: boolean;
  /** Kernel TLS was compiled into the library; whether the kernel has it shows per connection. */
  ktls: boolean;
  /** ASYNC jobs, by which a callback without a retry code of its own can wait. */
  async: boolean;
  /** RFC 8879, OpenSSL 3.2. */
  certificateCompression: boolean;
  /** RFC 7250, OpenSSL 3.2. */
  rawPublicKeys: boolean;
  /** QUIC client, OpenSSL 3.2. */
  quic: boolean;
  /** QUIC server, OpenSSL 3.5. */
  quicServer: boolean;
  /** ML-KEM (FIPS 203), OpenSSL 3.5. */
  mlkem: boolean;
  /** Encrypted ClientHello, OpenSSL 4.0. */
  ech: boolean;
  /** ENGINE modules, until OpenSSL 4.0. */
  engines: boolean;
  /** The default property query asks for FIPS-approved implementations. */
  fips: boolean;
}
