// system-tls/tls: node:tls over the system's OpenSSL.
//
// Types extend those of node, and change none of them: a program may have sockets of node's own beside these, and only these do
// more. register adds nothing to node's types either: they are declared in 'tls' by some versions of @types/node and in 'node:tls' by
// others, and whoever adds to the other one hides them.
import type { Duplex } from 'node:stream';
import type * as Tls from 'node:tls';
import { getCiphers } from './ciphers.ts';
import { type Control, sslOf } from './control.ts';
import './engine.ts';
import { checkedIo, type IoOption, type WithIo } from './io.ts';
import { nodeTls } from './node-tls.ts';
import { constructedOver, over } from './over.ts';
import { createSecureContext } from './secure-context.ts';
import { type CertificateStore, getCACertificates, setDefaultCACertificates } from './trust.ts';

export type * from 'node:tls';
export type { CertificateStore, Control, IoOption, WithIo };
export { createSecureContext, getCACertificates, getCiphers, setDefaultCACertificates, sslOf };

export interface ConnectionOptions extends Tls.ConnectionOptions, WithIo {}
export interface TLSSocketOptions extends Tls.TLSSocketOptions, WithIo {}
export interface TlsOptions extends Tls.TlsOptions, WithIo {}
export interface TLSSocket extends Tls.TLSSocket, Control {}

type Listener = (socket: TLSSocket) => void;

/** What a server emits has more than node's own sockets have. */
export interface EmitsOurs {
  on(event: 'secureConnection', listener: Listener): this;
  once(event: 'secureConnection', listener: Listener): this;
  addListener(event: 'secureConnection', listener: Listener): this;
  prependListener(event: 'secureConnection', listener: Listener): this;
}
export type Server = EmitsOurs & Tls.Server;

interface ServerClass extends Omit<typeof Tls.Server, 'prototype'> {
  readonly prototype: Tls.Server;
  new (listener?: Listener): Server;
  new (options: TlsOptions, listener?: Listener): Server;
}
interface TLSSocketClass extends Omit<typeof Tls.TLSSocket, 'prototype'> {
  readonly prototype: TLSSocket;
  new (socket: Duplex, options?: TLSSocketOptions): TLSSocket;
}
interface CreateServer {
  (listener?: Listener): Server;
  (options: TlsOptions, listener?: Listener): Server;
}
interface Connect {
  (options: ConnectionOptions, listener?: () => void): TLSSocket;
  (port: number, host?: string, options?: ConnectionOptions, listener?: () => void): TLSSocket;
  (port: number, options?: ConnectionOptions, listener?: () => void): TLSSocket;
}

type Any = (...args: unknown[]) => unknown;

const connectByNode = over(nodeTls.connect) as unknown as Any;

export const Server = constructedOver(nodeTls.Server) as unknown as ServerClass;
export const TLSSocket = constructedOver(nodeTls.TLSSocket) as unknown as TLSSocketClass;
export const createServer = over(nodeTls.createServer) as unknown as CreateServer;
export const connect = ((...args: unknown[]) => {
  // Before node makes a socket: with a secureContext of the caller's nobody else looks at the option until the handshake.
  for (const each of args) if (typeof each === 'object' && each !== null) checkedIo(each);
  return connectByNode(...args);
}) as Connect;

export const {
  checkServerIdentity,
  CLIENT_RENEG_LIMIT,
  CLIENT_RENEG_WINDOW,
  DEFAULT_CIPHERS,
  DEFAULT_ECDH_CURVE,
  DEFAULT_MAX_VERSION,
  DEFAULT_MIN_VERSION,
  rootCertificates,
} = nodeTls;

/** Functions that no types name, or that not every version of node has. */
const rest = nodeTls as unknown as {
  readonly convertALPNProtocols: (protocols: unknown, out: object) => void;
  readonly createSecurePair: Any | undefined;
  readonly getCertificateCompressionAlgorithms: (() => string[]) | undefined;
};
/** node's class; the type of the same name is what createSecureContext() gives. */
export const SecureContext = nodeTls['SecureContext'] as new (...args: unknown[]) => Tls.SecureContext;
export type SecureContext = Tls.SecureContext;
/** Undefined where this version of node has no such function. */
export const { convertALPNProtocols, createSecurePair, getCertificateCompressionAlgorithms } = rest;

const replaced = {
  Server,
  TLSSocket,
  connect,
  createSecureContext,
  createServer,
  getCACertificates,
  getCiphers,
  setDefaultCACertificates,
};

type TlsModule = Omit<typeof Tls, keyof typeof replaced> & typeof replaced;

/** All that node:tls has, whatever the version, and ours where it makes connections. What is assigned to DEFAULT_* counts. */
const tls: TlsModule = Object.create(nodeTls, Object.getOwnPropertyDescriptors(replaced));
for (const name of Object.keys(nodeTls)) {
  if (Object.hasOwn(tls, name)) continue;
  Object.defineProperty(tls, name, {
    configurable: true,
    enumerable: true,
    get: () => nodeTls[name],
    set: (value: unknown) => {
      Object.assign(nodeTls, { [name]: value });
    },
  });
}

type OwnConnectionOptions = ConnectionOptions;
type OwnServer = Server;
type OwnTLSSocket = TLSSocket;
type OwnTLSSocketOptions = TLSSocketOptions;
type OwnTlsOptions = TlsOptions;
/** So that `tls.TLSSocket` is a type too, as with node's. */
declare namespace tls {
  type Certificate = Tls.Certificate;
  type CipherNameAndProtocol = Tls.CipherNameAndProtocol;
  type CommonConnectionOptions = Tls.CommonConnectionOptions;
  type ConnectionOptions = OwnConnectionOptions;
  type DetailedPeerCertificate = Tls.DetailedPeerCertificate;
  type EphemeralKeyInfo = Tls.EphemeralKeyInfo;
  type KeyObject = Tls.KeyObject;
  type PeerCertificate = Tls.PeerCertificate;
  type PSKCallbackNegotation = Tls.PSKCallbackNegotation;
  type PxfObject = Tls.PxfObject;
  type SecureContext = Tls.SecureContext;
  type SecureContextOptions = Tls.SecureContextOptions;
  type SecureVersion = Tls.SecureVersion;
  type Server = OwnServer;
  type TLSSocket = OwnTLSSocket;
  type TLSSocketOptions = OwnTLSSocketOptions;
  type TlsOptions = OwnTlsOptions;
}

export default tls;
