// The HTTP jobs without TLS: by itself, and behind a proxy that has ended it.

import process from 'node:process';
import { httpServer, listening } from './answers.mjs';
import { done, options, serve } from './served.mjs';

const server = httpServer().on('connection', () => {
  done.handshakes++;
});

serve({ port: await listening(server, options.port), openssl: String(process.versions.openssl) });
