// The answers of the HTTP jobs: a body of the wanted size, behind what a request brings. All servers on node run these lines.

import { createServer } from 'node:http';
import { body, done, ignore } from './served.mjs';

/** @param {import('node:stream').Readable} request @param {() => void} then */
function take(request, then) {
  request.on('data', data => {
    done.bytes += data.length;
  });
  request.on('end', then);
}

/** Of node:http and node:https. @type {import('node:http').RequestListener} */
export function answer(request, response) {
  const send = () => {
    done.requests++;
    done.bytes += body.length;
    response.setHeader('content-length', body.length);
    response.end(body);
  };
  if (request.method === 'POST') take(request, send);
  else send();
}

/** Of node:http2: its own interface, without what it has for code of node:http. @param {any} server */
export function answerStreams(server) {
  server.on('session', (/** @type {any} */ session) => session.on('error', ignore));
  server.on('stream', (/** @type {any} */ stream, /** @type {any} */ headers) => {
    stream.on('error', ignore);
    const send = () => {
      done.requests++;
      done.bytes += body.length;
      stream.respond({ ':status': 200, 'content-length': body.length });
      stream.end(body);
    };
    if (headers[':method'] === 'POST') take(stream, send);
    else send();
  });
  return server;
}

/** Behind our own sockets, or by itself. */
export const httpServer = () => createServer(answer);

/** @param {any} server @param {number} port @returns {Promise<number>} the port that it got */
export function listening(server, port) {
  return new Promise(resolve => {
    server.listen(port, '127.0.0.1', 4096, () => resolve(server.address().port));
  });
}

/** @param {any} server */
export function countHandshakes(server) {
  server.on('secureConnection', () => {
    done.handshakes++;
  });
  return server.on('tlsClientError', ignore);
}
