// fetch() of Node itself: the CA comes by NODE_EXTRA_CA_CERTS.
import assert from 'node:assert/strict';
import { bytes, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const server = https.createServer({ cert, key }, (request, response) => {
  response.setHeader('x-method', request.method);
  request.pipe(response);
});
const origin = `https://localhost:${await listen(server)}`;

for (const length of [0, 1000, 20 * MiB]) {
  const body = bytes(length);
  const response = await fetch(origin, { method: 'POST', body });
  assert.equal(response.headers.get('x-method'), 'POST');
  assert.equal(sha256(new Uint8Array(await response.arrayBuffer())), sha256(body));
}
await assert.rejects(fetch(origin.replace('localhost', 'localhost.localdomain')), TypeError);
server.closeAllConnections();
server.close();
done('bodies up to 20 MiB, echoed');
