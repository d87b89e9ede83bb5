import assert from 'node:assert/strict';
import axios from 'axios';
import { bytes, ca, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const server = https.createServer({ cert, key }, (request, response) => request.pipe(response));
const baseURL = `https://localhost:${await listen(server)}`;
const httpsAgent = new https.Agent({ ca, keepAlive: true });
const client = axios.create({
  baseURL,
  httpsAgent,
  responseType: 'arraybuffer',
  maxBodyLength: 32 * MiB,
  proxy: false,
});

for (const length of [10, 20 * MiB]) {
  const body = bytes(length);
  assert.equal(sha256((await client.post('/', body)).data), sha256(body));
}
const stranger = axios.get(baseURL, { httpsAgent: new https.Agent(), proxy: false });
await assert.rejects(stranger, { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
httpsAgent.destroy();
server.close();
done('20 MiB, echoed; an agent without the CA is refused');
