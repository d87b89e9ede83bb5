import assert from 'node:assert/strict';
import { once } from 'node:events';
import express from 'express';
import { bytes, ca, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const app = express();
app.get('/hello', (request, response) => response.json({ secure: request.secure, name: request.query.name }));
app.post('/digest', express.raw({ limit: '20mb' }), (request, response) => response.send(sha256(request.body)));

const server = https.createServer({ cert, key }, app);
const port = await listen(server);

async function ask(path, { body, ...options } = {}) {
  const request = https.request({ host: 'localhost', port, path, ca, ...options });
  request.end(body);
  const [response] = await once(request, 'response');
  return Buffer.concat(await response.toArray()).toString();
}

assert.deepEqual(JSON.parse(await ask('/hello?name=one')), { secure: true, name: 'one' });
const body = bytes(5 * MiB);
const headers = { 'content-type': 'application/octet-stream' };
assert.equal(await ask('/digest', { method: 'POST', headers, body }), sha256(body));
// Nobody vouches for the server.
await assert.rejects(ask('/hello', { ca: [], agent: false }), { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });

https.globalAgent.destroy();
server.close();
done('JSON, an upload of 5 MiB, a client without the CA is refused');
