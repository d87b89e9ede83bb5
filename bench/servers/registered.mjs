// The HTTP jobs, served by node:https and node:http2 in a process that was started with --require system-tls/register.

import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { sslOf } from '../../dist/compat/tls.js';
import { openssl } from '../../dist/index.js';
import { answer, answerStreams, countHandshakes, listening } from './answers.mjs';
import { options, serve, serverOptions } from './served.mjs';

const server =
  options.mode === 'http2' ? answerStreams(createSecureServer(serverOptions)) : createServer(serverOptions, answer);

// Otherwise the figures would be node's own.
server.once('secureConnection', (/** @type {import('node:tls').TLSSocket} */ socket) => {
  if (sslOf(socket) === null) throw new Error('a connection of node:tls, under --require system-tls/register');
});

serve({ port: await listening(countHandshakes(server), options.port), openssl: openssl.version });
