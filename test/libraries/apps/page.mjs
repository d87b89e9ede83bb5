// A page over HTTP/2 that loads images, talks over a WebSocket (HTTP/1.1 on the same port) and sends a file.
import { createHash } from 'node:crypto';
import { WebSocketServer } from 'ws';
import { cert, http2, key, MiB } from '../common.mjs';

const images = Array.from({ length: 20 }, (_, number) => `<img src="/image?${number}" width="40" height="40">`);

/** Runs in the browser. */
async function visit() {
  const hex = data => Array.from(new Uint8Array(data), byte => byte.toString(16).padStart(2, '0')).join('');
  const sha256 = async data => hex(await crypto.subtle.digest('SHA-256', data));
  const random = length => {
    const bytes = new Uint8Array(length);
    for (let at = 0; at < length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    return bytes;
  };
  await Promise.all([...document.images].map(image => image.decode()));
  const file = random(5 * 2 ** 20);
  const answer = await fetch('/digest', { method: 'POST', body: new Blob([file]) });
  const socket = new WebSocket(`wss://${location.host}/echo`);
  socket.binaryType = 'arraybuffer';
  await new Promise((resolve, reject) => Object.assign(socket, { onopen: resolve, onerror: reject }));
  const message = random(2 ** 20);
  const echoed = new Promise(resolve => Object.assign(socket, { onmessage: ({ data }) => resolve(data) }));
  socket.send(message);
  const result = {
    page: performance.getEntriesByType('navigation')[0].nextHopProtocol,
    images: document.images.length,
    upload: (await answer.text()) === (await sha256(file)),
    webSocket: (await sha256(await echoed)) === (await sha256(message)),
  };
  socket.close();
  document.querySelector('pre').textContent = JSON.stringify(result, null, 2);
  return result;
}

const html = `<!doctype html>
<title>system-tls</title>
<h1>Over system-tls</h1>
<p>${images.join('\n')}</p>
<pre>not yet</pre>
<script>globalThis.visited = (${visit})();</script>`;

const image = number =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><circle cx="20" cy="20" r="19" fill="hsl(${18 * number} 80% 50%)"/></svg>`;

const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
  const { pathname, search } = new URL(request.url, 'https://localhost');
  if (pathname === '/digest') {
    const hash = createHash('sha256');
    request.on('data', data => hash.update(data)).on('end', () => response.end(hash.digest('hex')));
    return;
  }
  const isImage = pathname === '/image';
  response.setHeader('content-type', isImage ? 'image/svg+xml' : 'text/html');
  response.statusCode = isImage || pathname === '/' ? 200 : 404;
  response.end(isImage ? image(Number(search.slice(1))) : html);
});
const sockets = new WebSocketServer({ server, path: '/echo', maxPayload: 2 * MiB });
sockets.on('connection', socket => socket.on('message', data => socket.send(data)));
process.once('SIGTERM', () => process.exit(0));
server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`));
