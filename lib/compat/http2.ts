// system-tls/http2: node:http2 over the system's OpenSSL.
import http2 from 'node:http2';
import type { Socket } from 'node:net';
import type { WithIo } from './io.ts';
import { over } from './over.ts';
import type { EmitsOurs, TLSSocket } from './tls.ts';

export type * from 'node:http2';

export interface SecureClientSessionOptions extends http2.SecureClientSessionOptions, WithIo {}
export interface SecureServerOptions extends http2.SecureServerOptions, WithIo {}
export type Http2ServerRequest = http2.Http2ServerRequest;
export type Http2ServerResponse = http2.Http2ServerResponse;
export type Http2SecureServer = EmitsOurs & http2.Http2SecureServer;

type OnSession = (session: http2.ClientHttp2Session, socket: Socket | TLSSocket) => void;
type OnRequest = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => void;

interface Connect {
  (authority: string | URL, listener: OnSession): http2.ClientHttp2Session;
  (
    authority: string | URL,
    options?: http2.ClientSessionOptions | SecureClientSessionOptions,
    listener?: OnSession,
  ): http2.ClientHttp2Session;
}
interface Create {
  (onRequest?: OnRequest): Http2SecureServer;
  (options: SecureServerOptions, onRequest?: OnRequest): Http2SecureServer;
}
/** Behind it node's own, for classes of requests and responses that are the caller's. */
type CreateSecureServer = Create & typeof http2.createSecureServer;

export const connect = over(http2.connect) as unknown as Connect;
export const createSecureServer = over(http2.createSecureServer) as unknown as CreateSecureServer;
export const {
  constants,
  createServer,
  getDefaultSettings,
  getPackedSettings,
  getUnpackedSettings,
  Http2ServerRequest,
  Http2ServerResponse,
  performServerHandshake,
  sensitiveHeaders,
} = http2;

const replaced = { connect, createSecureServer };
type Http2Module = Omit<typeof http2, keyof typeof replaced> & typeof replaced;

/** All that node:http2 has, whatever the version. */
const all: Http2Module = { ...http2, ...replaced };

export default all;
