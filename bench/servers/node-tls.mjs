// The jobs, served by node:tls.

import { createServer as createHttpsServer } from 'node:https';
import process from 'node:process';
import { connect, createServer } from 'node:tls';
import { body, clientOptions, done, ignore, options, serve, serverOptions } from './served.mjs';
import { onread, work } from './streams.mjs';

const details = { openssl: String(process.versions.openssl) };

const https = () =>
  createHttpsServer(serverOptions, (_request, response) => {
    done.bytes += body.length;
    response.setHeader('content-length', body.length);
    response.end(body);
  }).on('secureConnection', () => {
    done.handshakes++;
  });

// As system-tls does by default.
const setNoDelay = (/** @type {import('node:tls').TLSSocket} */ socket) => {
  socket.setNoDelay(true);
  work(socket);
};

if (options.client) {
  for (let i = 0; i < options.connections; i++) {
    const settings = /** @type {import('node:tls').ConnectionOptions} */ ({ ...clientOptions, ...onread() });
    const socket = connect(settings, () => setNoDelay(socket));
    socket.on('error', ignore);
  }
  serve({ port: 0, ...details });
} else {
  const server = options.mode === 'http' ? https() : createServer(serverOptions, setNoDelay);
  server.on('tlsClientError', ignore);
  server.listen(options.port, '127.0.0.1', 4096, () => {
    const address = server.address();
    if (typeof address !== 'object' || address === null) throw new Error('not listening');
    serve({ port: address.port, ...details });
  });
}
