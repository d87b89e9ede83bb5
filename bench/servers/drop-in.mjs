// The HTTP jobs, served by what stands in for node:https and node:http2.

import http2 from '../../dist/compat/http2.js';
import https from '../../dist/compat/https.js';
import { IoPool, openssl } from '../../dist/index.js';
import { answer, answerStreams, countHandshakes, listening } from './answers.mjs';
import { options, serve, serverOptions } from './served.mjs';

const settings = { ...serverOptions, io: options.io ? new IoPool({ threads: 1 }) : false };
const server =
  options.mode === 'http2' ? answerStreams(http2.createSecureServer(settings)) : https.createServer(settings, answer);

serve({ port: await listening(countHandshakes(server), options.port), openssl: openssl.version });
