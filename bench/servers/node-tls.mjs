// The jobs, served by node:tls, node:https and node:http2.

import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import process from 'node:process';
import { connect, createServer } from 'node:tls';
import { answer, answerStreams, countHandshakes, listening } from './answers.mjs';
import { clientOptions, ignore, options, serve, serverOptions } from './served.mjs';
import { onread, work } from './streams.mjs';

const details = { openssl: String(process.versions.openssl) };

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
  serve({ port: await listening(makeServer(), options.port), ...details });
}

function makeServer() {
  if (options.mode === 'http') return countHandshakes(createHttpsServer(serverOptions, answer));
  if (options.mode === 'http2') return countHandshakes(answerStreams(createSecureServer(serverOptions)));
  return createServer(serverOptions, setNoDelay).on('tlsClientError', ignore);
}
