import assert from 'node:assert/strict';
import got from 'got';
import { bytes, ca, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const server = https.createServer({ cert, key }, (request, response) => request.pipe(response));
const url = `https://localhost:${await listen(server)}`;
const agent = { https: new https.Agent({ ca, keepAlive: true }) };

for (const length of [10, 20 * MiB]) {
  const body = bytes(length);
  assert.equal(
    sha256(await got.post(url, { body, agent, https: { certificateAuthority: ca } }).buffer()),
    sha256(body),
  );
}
const stranger = got(url, { agent: { https: new https.Agent() }, retry: { limit: 0 } });
await assert.rejects(stranger, { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' });
agent.https.destroy();
server.close();
done('20 MiB, echoed; an agent without the CA is refused');
