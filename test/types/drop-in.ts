// Compiled, never run: types of system-tls/tls, /https and /http2 beside those of node.
import type nodeHttp2 from 'node:http2';
import type nodeHttps from 'node:https';
import nodeTls from 'node:tls';
import type { IoPool, KeyUpdateResult, Ssl } from 'system-tls';
import http2, { type Http2SecureServer, type SecureServerOptions } from 'system-tls/http2';
import https from 'system-tls/https';
import tls, { type ConnectionOptions, sslOf, type TLSSocket } from 'system-tls/tls';

/** Whoever expects node's can be given ours. */
export const modules: {
  tls: typeof nodeTls;
  https: typeof nodeHttps;
  http2: typeof nodeHttp2;
  connect: typeof nodeTls.connect;
  createServer: typeof nodeTls.createServer;
  agent: nodeHttps.Agent;
  httpsServer: nodeHttps.Server;
} = {
  tls,
  https,
  http2,
  connect: tls.connect,
  createServer: tls.createServer,
  agent: https.globalAgent,
  httpsServer: new https.Server(),
};

/** What was made for node can be given to ours. */
export function given(
  options: nodeTls.ConnectionOptions,
  serverOptions: nodeTls.TlsOptions,
  agentOptions: nodeHttps.AgentOptions,
  requestOptions: nodeHttps.RequestOptions,
  http2Options: nodeHttp2.SecureServerOptions,
): void {
  tls.createServer(serverOptions, (socket: nodeTls.TLSSocket) => socket.getCipher());
  new https.Agent(agentOptions).destroy();
  https.get(requestOptions, response => response.statusCode);
  http2.createSecureServer(http2Options, (request: nodeHttp2.Http2ServerRequest) => request.url);
  const node: nodeTls.TLSSocket = nodeTls.connect(options);
  sslOf(node) satisfies Ssl | null;
  const ours: nodeTls.TLSSocket = tls.connect(options);
  ours.getCipher();
}

/** What ours have more. */
export async function more(pool: IoPool): Promise<void> {
  const options: ConnectionOptions = { io: pool };
  nodeTls.connect(options);
  const socket: tls.TLSSocket = tls.connect(443, 'example.com', { io: true });
  (await socket.keyUpdate({ requestPeer: true })) satisfies KeyUpdateResult;
  const server: tls.Server = tls.createServer({ io: false });
  server.on('secureConnection', each => each.requestClientCertificate({ required: false }));
  server.on('secureConnection', (each: nodeTls.TLSSocket) => each.getCipher());
  server.on('tlsClientError', error => error.message);
  const secure: https.Server = https.createServer({ io: pool }, (request, response) => response.end(request.url));
  secure.once('secureConnection', each => each.keyUpdate());
  secure.on('request', (request, response) => response.end(request.url));
  const agent: https.Agent = new https.Agent({ io: pool });
  https.get({ io: true, agent });
  https.get('https://example.com/', { io: true }, response => response.resume());
  const secureOptions: SecureServerOptions = { io: true };
  const second: Http2SecureServer = http2.createSecureServer(secureOptions, (request, response) =>
    response.end(request.url),
  );
  second.on('secureConnection', each => each.keyUpdate());
  http2.connect('https://example.com/', { io: pool }).close();
  tls.setDefaultCACertificates(tls.getCACertificates('bundled'));

  // @ts-expect-error: an IoPool, true or false
  tls.connect({ io: 4 });
  // @ts-expect-error: an IoPool, true or false
  new https.Agent({ io: 'threads' }).destroy();
  // @ts-expect-error: no such option
  tls.connect({ ioo: true });
  // @ts-expect-error: node's own has no such method
  await nodeTls.connect({}).keyUpdate();
  // @ts-expect-error: no such option
  await socket.keyUpdate({ peer: true });
}

/** Classes can be inherited from. */
export class Own extends tls.TLSSocket {
  readonly name = 'own';
}
export class OwnServer extends https.Server {
  override close(callback?: (error?: Error) => void): this {
    return super.close(callback);
  }
}
export const inherited = (socket: Own): TLSSocket => socket;
