// system-tls/http2: node:http2 over the system's OpenSSL.
import http2 from 'node:http2';
import { over } from './over.ts';

export const connect: typeof http2.connect = over(http2.connect);
export const createSecureServer: typeof http2.createSecureServer = over(http2.createSecureServer);
export const {
  constants,
  createServer,
  getDefaultSettings,
  getPackedSettings,
  getUnpackedSettings,
  Http2ServerRequest,
  Http2ServerResponse,
  sensitiveHeaders,
} = http2;

/** All that node:http2 has, whatever the version. */
export default { ...http2, connect, createSecureServer };
