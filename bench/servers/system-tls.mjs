// The jobs, served by system-tls.

import { connect, createServer, IoPool, openssl } from '../../dist/index.js';
import { httpServer } from './answers.mjs';
import { clientOptions, done, ignore, options, serve, serverOptions } from './served.mjs';
import { onread, work } from './streams.mjs';

const details = { openssl: openssl.version };
const io = options.io ? new IoPool({ threads: options.ioThreads }) : undefined;

/** By a function, as OpenSSL would decide. @type {import('../../dist/index.js').Verify} */
const decide = ({ verifyResult }) => verifyResult.name === 'OK';
/** @type {import('../../dist/index.js').Verify} */
const decideLater = request => new Promise(resolve => setImmediate(() => resolve(decide(request))));
const later = () => new Promise(resolve => setImmediate(resolve, null));
const { cert, key } = serverOptions;
const identity = { cert, key };
/** @type {Readonly<Record<string, import('../../dist/index.js').ServerOptions>>} */
const callbacks = {
  verify: { verify: decide },
  'verify later': { verify: decideLater },
  hello: { onClientHello: () => null },
  'hello later': { onClientHello: later },
  certificate: { onCertificate: () => identity },
  'certificate later': { onCertificate: () => later().then(() => identity) },
  name: { onServerName: () => null },
};
const verifier = callbacks[options.api] ?? {};

/** node:http says itself where a message ends. */
const web = httpServer();

/** @param {any} socket */
function http(socket) {
  socket.on('error', ignore);
  done.handshakes++;
  web.emit('connection', socket);
}

if (options.client) {
  for (let i = 0; i < options.connections; i++) {
    const socket = await connect({ ...clientOptions, ...onread(), io, pauseOnConnect: options.api === 'readInto' });
    work(socket);
  }
  serve({ port: 0, ...details });
} else {
  const server = createServer({ ...serverOptions, ...verifier, io }, options.mode === 'http' ? http : work);
  server.on('tlsClientError', ignore);
  await server.listen({ port: options.port, host: '127.0.0.1', backlog: 4096 });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening');
  serve({ port: address.port, ...details });
}
