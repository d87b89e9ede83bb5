export { Bio, type BioDuplexOptions, type BioPairOptions, type BioSocketOptions } from './bio.ts';
export { BufferBio, type BufferBioOptions } from './buffer-bio.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { SslContext } from './context.ts';
export { type ConnectDtlsOptions, connectDtls } from './dtls.ts';
export {
  createDtlsServer,
  type DtlsListenOptions,
  DtlsServer,
  type DtlsServerEvents,
  type DtlsServerOptions,
} from './dtls-server.ts';
export { OpenSslError, type OpenSslErrorEntry, type TlsAlert, type VerifyResult } from './errors.ts';
export { FilterBio, type GetsOptions } from './filter-bio.ts';
export type { AlpnProtocols } from './internal/alpn.ts';
export type { ClientRenegotiation, SslContextOptions } from './internal/context-options.ts';
export type {
  CertificateOption,
  CredentialOptions,
  FileOption,
  KeyOption,
  PemOrDer,
  PfxOption,
} from './internal/credentials.ts';
export type { DatagramPeer } from './internal/datagram-socket.ts';
export { LoadError } from './internal/load-failure.ts';
export type { TlsMethod } from './internal/methods.ts';
export type { LockedInput, Passphrase, PassphraseCallback } from './internal/passphrase.ts';
export type { OnReadOptions } from './internal/receiver.ts';
export type { HashedLink, RehashOptions, RehashResult, SkippedFile } from './internal/rehash.ts';
export type { VerifyModeName, VerifyOptions } from './internal/verify-mode.ts';
export type { TlsVersion } from './internal/versions.ts';
export { IoPool, type IoPoolOptions } from './io-pool.ts';
export { type OpenSsl, type OpensslFeatures, openssl } from './openssl.ts';
export {
  type AddressInfo,
  createServer,
  type ListenOptions,
  Server,
  type ServerEvents,
  type ServerOptions,
} from './server.ts';
export { SslSession } from './session.ts';
export { Ssl } from './ssl.ts';
export { SslBio, type SslBioOptions } from './ssl-bio.ts';
export type {
  InfoEvent,
  KeyUpdateEvent,
  MessageEvent,
  RenegotiateEvent,
  SslEvents,
  SslListeners,
} from './ssl-events.ts';
export type {
  KeyUpdateOptions,
  KeyUpdateResult,
  OperationOptions,
  ReadOptions,
  RenegotiateOptions,
  RequestClientCertificateOptions,
  SendFileOptions,
  SetFdOptions,
  ShutdownOptions,
  ShutdownState,
  SslOptions,
} from './ssl-options.ts';
export type { CipherInfo, KtlsInfo } from './ssl-state.ts';
export { TlsSocket, type TlsSocketOptions } from './tls-socket.ts';
export type { TlsSocketEvents } from './tls-socket-state.ts';
export type {
  VerifierOptions,
  Verify,
  VerifyAnswer,
  VerifyCallback,
  VerifyFinding,
  VerifyRequest,
} from './verification.ts';
