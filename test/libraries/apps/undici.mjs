import assert from 'node:assert/strict';
import { Agent, fetch, request } from 'undici';
import { bytes, ca, cert, done, http2, key, listen, MiB, sha256, tls } from '../common.mjs';

const server = http2.createSecureServer({ cert, key, allowHTTP1: true }, (incoming, response) => {
  response.setHeader('x-version', incoming.httpVersion);
  incoming.pipe(response);
});
const origin = `https://localhost:${await listen(server)}`;

/** undici's own calls tls.connect(); this one is for an application that brings its own. */
function connector(ALPNProtocols) {
  return ({ hostname, port }, callback) => {
    const socket = tls.connect({ host: hostname, port, servername: hostname, ca, ALPNProtocols });
    socket.once('secureConnect', () => callback(null, socket)).once('error', error => callback(error, null));
  };
}

for (const allowH2 of [false, true]) {
  const connect =
    process.env.LIBRARIES_IMPORT === '1' ? connector(allowH2 ? ['h2', 'http/1.1'] : ['http/1.1']) : { ca };
  const dispatcher = new Agent({ connect, allowH2 });
  const body = bytes((allowH2 ? 5 : 20) * MiB);
  const { headers, body: answer } = await request(origin, { method: 'POST', body, dispatcher });
  assert.equal(headers['x-version'], allowH2 ? '2.0' : '1.1');
  assert.equal(sha256(Buffer.from(await answer.arrayBuffer())), sha256(body));
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, number) => {
      const response = await fetch(origin, { method: 'PUT', body: `number ${number}`, dispatcher });
      return response.text();
    }),
  );
  answers.forEach((text, number) => void assert.equal(text, `number ${number}`));
  await dispatcher.close();
}
server.close();
done('HTTP/1.1 with 20 MiB, HTTP/2 with 5 MiB; 50 requests at once');
