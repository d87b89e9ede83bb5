export type { ClientHello, HelloExtension, HelloKeyShare } from './callbacks/client-hello.ts';
export { ja3, ja3Text, ja4, ja4Text } from './callbacks/fingerprints.ts';
export type {
  CallbackOptions,
  CertificateRequest,
  OnALPN,
  OnCertificate,
  OnClientHello,
  OnNewSession,
  OnRemoveSession,
  OnResumeSession,
  OnStatus,
  OnStatusRequest,
  ProtocolRequest,
  PskOptions,
  StatusRequest,
} from './callbacks/options.ts';
export type { OnPsk, PresharedKey, PskAnswer, PskRequest } from './callbacks/psk.ts';
export type { CallbackRequest } from './callbacks/request.ts';
export type {
  VerifierOptions,
  Verify,
  VerifyAnswer,
  VerifyCallback,
  VerifyFinding,
  VerifyRequest,
} from './callbacks/verification.ts';
export type { VerifyModeName, VerifyOptions } from './callbacks/verify-mode.ts';
export type {
  InfoEvent,
  KeyUpdateEvent,
  MessageEvent,
  RenegotiateEvent,
  SslEvents,
  SslListeners,
} from './connection/events.ts';
export { type IoOption, IoPool, type IoPoolOptions } from './connection/io-pool.ts';
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
} from './connection/options.ts';
export { Ssl } from './connection/ssl.ts';
export type { CipherInfo, EphemeralKeyInfo, KtlsInfo } from './connection/state.ts';
export type { AlpnProtocols } from './context/alpn.ts';
export {
  type ClientHelloSettings,
  type HandshakeCallbacks,
  type OnServerName,
  SslContext,
  type SslContextOptions,
} from './context/context.ts';
export type {
  CertificateOption,
  CredentialOptions,
  FileOption,
  KeyOption,
  PemOrDer,
  PfxOption,
} from './context/credentials.ts';
export type { TlsMethod } from './context/methods.ts';
export type { ClientRenegotiation, OwnContextOptions } from './context/options.ts';
export type { LockedInput, Passphrase, PassphraseCallback } from './context/passphrase.ts';
export { TicketKeyRing, type TicketKeyRingOptions } from './context/ticket-key-ring.ts';
export type { TlsVersion } from './context/versions.ts';
export { type ConnectDtlsOptions, connectDtls } from './dtls/connect.ts';
export {
  createDtlsServer,
  type DtlsListenOptions,
  DtlsServer,
  type DtlsServerEvents,
  type DtlsServerOptions,
} from './dtls/server.ts';
export { type ConnectOptions, connect } from './endpoint/connect.ts';
export {
  type AddressInfo,
  createServer,
  type ListenOptions,
  Server,
  type ServerEvents,
  type ServerOptions,
} from './endpoint/server.ts';
export { OpenSslError, type OpenSslErrorEntry, type TlsAlert, type VerifyResult } from './errors/errors.ts';
export { BufferBio, type BufferBioOptions } from './filters/buffer-bio.ts';
export { FilterBio, type GetsOptions } from './filters/filter-bio.ts';
export { SslBio, type SslBioOptions } from './filters/ssl-bio.ts';
export { type OpenSsl, type OpensslFeatures, openssl } from './library/openssl.ts';
export type { HashedLink, RehashOptions, RehashResult, SkippedFile } from './library/rehash.ts';
export { LoadError } from './native/load-failure.ts';
export { SslSession } from './session/session.ts';
export type { OnReadOptions } from './stream/receiver.ts';
export type { TlsSocketEvents } from './stream/socket-events.ts';
export { TlsSocket, type TlsSocketOptions } from './stream/tls-socket.ts';
export { Bio, type BioDuplexOptions, type BioPairOptions, type BioSocketOptions } from './transport/bio.ts';
export type { DatagramPeer } from './transport/datagram-socket.ts';
