// Puts handles of ours under node's own TLS sockets, for those whose SecureContext is ours.
import type { X509Certificate } from 'node:crypto';
import type { Piece } from '../stream/pieces.ts';
import type { WriteCallback } from '../stream/write-turns.ts';
import { handleOfAccepted } from './accepted-handle.ts';
import { handleOf } from './control.ts';
import { Handle, type ParentHandle } from './handle.ts';
import { checkedIo, keepIo } from './io.ts';
import { withKnownIssuers } from './issuers.ts';
import { listenNatively } from './listening.ts';
import { nodeHandles, unconnected } from './node-handles.ts';
import {
  type AnyServer,
  type AnySocket,
  netSocketPrototype,
  nodeTls,
  type Prototype,
  serverPrototype,
  socketPrototype,
} from './node-tls.ts';
import { contextOf, withOurContexts } from './secure-context.ts';
import { streamOver } from './stream-handle.ts';

type Any = (this: AnySocket, ...args: unknown[]) => unknown;
interface TlsOptions {
  readonly isServer?: boolean;
  readonly pipe?: boolean;
  readonly secureContext?: Handle['_secureContext'];
  readonly credentials?: Handle['_secureContext'];
  readonly io?: unknown;
  readonly signal?: unknown;
}

function serveHttp2(handle: Handle): void {
  const { socket } = handle;
  if (handle.getALPNNegotiatedProtocol() !== 'h2' || socket['_handle'] !== handle) return;
  const stream = streamOver(handle, nodeHandles().owner);
  handle.consumer = stream;
  socket['_handle'] = stream;
}

Handle.onnegotiated = serveHttp2;

/** A signal that was aborted before has closed the socket before it had its handle. */
function closeLeft(this: AnySocket): void {
  const handle = handleOf(this);
  if (handle !== undefined) setImmediate(() => handle.close());
}

/** Methods of node's that have another way where the handle is ours. */
const ours: Record<string, (node: Any) => Any> = {
  _wrapHandle: node =>
    function _wrapHandle(wrap, handle, ...rest) {
      const accepted = handleOfAccepted(this);
      if (accepted !== undefined) return accepted;
      const options = this['_tlsOptions'] as TlsOptions;
      const secureContext =
        options.secureContext ??
        options.credentials ??
        (nodeTls.createSecureContext(options as never) as never as Handle['_secureContext']);
      const context = contextOf(secureContext);
      if (context === undefined) {
        Object.assign(options, { secureContext });
        return node.call(this, wrap, handle, ...rest);
      }
      checkedIo(options);
      const socket = wrap as AnySocket | null;
      const parent = (handle as ParentHandle | null | undefined) ?? unconnected(this, Boolean(options.pipe));
      socket?.on('close', () => this.destroy());
      const made = new Handle(this, parent, socket, secureContext, context, Boolean(options.isServer));
      if (options.signal !== undefined && this.listenerCount('close', closeLeft) === 0) this.on('close', closeLeft);
      return made;
    },
  _writeGeneric: () =>
    function _writeGeneric(writev, data, encoding, callback) {
      const handle = handleOf(this);
      if (handle === undefined || this.connecting) {
        return (netSocketPrototype['_writeGeneric'] as Any).call(this, writev, data, encoding, callback);
      }
      // As node's own: what waited for the connection is counted as written from now on.
      this['_pendingData'] = null;
      this['_pendingEncoding'] = '';
      const pieces = writev ? (data as readonly Piece[]) : [{ chunk: data, encoding } as Piece];
      handle.write(pieces, callback as WriteCallback);
      return undefined;
    },
  disableRenegotiation: node =>
    function disableRenegotiation() {
      handleOf(this)?.disableRenegotiation();
      return node.call(this);
    },
  getPeerCertificate: node =>
    function getPeerCertificate(detailed) {
      const handle = handleOf(this);
      return handle === undefined ? node.call(this, detailed) : legacyChain(handle, Boolean(detailed));
    },
  getCertificate: node =>
    function getCertificate() {
      const handle = handleOf(this);
      return handle === undefined ? node.call(this) : (handle.ssl?.certificate?.toLegacyObject() ?? {});
    },
  getPeerX509Certificate: node =>
    function getPeerX509Certificate() {
      const handle = handleOf(this);
      return handle === undefined ? node.call(this) : linkedChain(handle);
    },
  getX509Certificate: node =>
    function getX509Certificate() {
      const handle = handleOf(this);
      return handle === undefined ? node.call(this) : (handle.ssl?.certificate ?? undefined);
    },
};

type Legacy = ReturnType<X509Certificate['toLegacyObject']> & { issuerCertificate?: Legacy };

/** The peer's certificate and those that it comes from, as far as they are known. */
function peerChain({ ssl, context }: Handle): X509Certificate[] {
  if (ssl === undefined || ssl.closed || ssl.peerCertificate === null) return [];
  if (ssl.verifiedChain.length > 0) return [...ssl.verifiedChain];
  return withKnownIssuers(ssl.peerCertificate, [...ssl.peerCertificateChain, ...context.certificates]);
}

/** With `detailed` each has its issuer, and a root itself. */
function legacyChain(handle: Handle, detailed: boolean): Legacy | object {
  if (!detailed) return handle.ssl?.closed === false ? (handle.ssl.peerCertificate?.toLegacyObject() ?? {}) : {};
  const legacy = peerChain(handle).map(each => each.toLegacyObject() as Legacy);
  for (const [at, each] of legacy.entries()) each.issuerCertificate = legacy[at + 1] ?? each;
  return legacy[0] ?? {};
}

/** As node's, whose certificate of a peer knows its issuer. */
function linkedChain(handle: Handle): X509Certificate | undefined {
  const chain = peerChain(handle);
  for (const [at, each] of chain.entries()) {
    Object.defineProperty(each, 'issuerCertificate', { value: chain[at + 1], configurable: true });
  }
  return chain[0];
}

/** Methods of a server that make contexts: of ours, if it has one already. */
const makers: Record<string, (node: Any) => Any> = Object.fromEntries(
  ['setSecureContext', 'addContext', 'setOptions'].map(name => [
    name,
    (node: Any) =>
      function (this: AnySocket, ...args: unknown[]) {
        const make = () => node.apply(this, args);
        const made = contextOf(this['_sharedCreds']) === undefined ? make() : withOurContexts(make);
        const [options] = args;
        if (typeof options === 'object' && options !== null && contextOf(this['_sharedCreds'])) keepIo(this, options);
        return made;
      },
  ]),
);

/** What arrives there is a connection of ours from the start. */
const listening: Record<string, (node: Any) => Any> = {
  _listen2: node =>
    function _listen2(...args) {
      const listen = () => node.apply(this, args);
      return contextOf(this['_sharedCreds']) === undefined
        ? listen()
        : listenNatively(this as unknown as AnyServer, listen);
    },
};

/** What has been replaced stays so, and is node's own for what is node's. */
function replace(prototype: Prototype, replacements: Record<string, (node: Any) => Any>): void {
  for (const [name, make] of Object.entries(replacements)) {
    const node = prototype[name];
    if (node === undefined && prototype === serverPrototype) continue;
    Object.defineProperty(prototype, name, {
      value: make(node as unknown as Any),
      configurable: true,
      writable: true,
      enumerable: true,
    });
  }
}

replace(socketPrototype, ours);
replace(serverPrototype, makers);
replace(serverPrototype, listening);
