import assert from 'node:assert/strict';
import { bytes, ca, cert, done, http2, key, listen, MiB, sha256 } from '../common.mjs';

const server = http2.createSecureServer({ cert, key, maxSessionMemory: 100 });
server.on('stream', (stream, headers) => {
  if (headers[':path'] === '/echo') {
    stream.respond({ ':status': 200 });
    stream.pipe(stream);
  } else {
    stream.respond({ ':status': 404 });
    stream.end('not here');
  }
});
const port = await listen(server);
const session = http2.connect(`https://localhost:${port}`, { ca, maxSessionMemory: 100 });

async function echo(body) {
  const stream = session.request({ ':method': 'POST', ':path': '/echo' });
  stream.end(body);
  return sha256(Buffer.concat(await stream.toArray()));
}

const bodies = [1, 20 * MiB, 0, 100_000, 3 * MiB].map(bytes);
assert.deepEqual(await Promise.all(bodies.map(echo)), bodies.map(sha256));
assert.equal(session.alpnProtocol, 'h2');
assert.equal(Buffer.concat(await session.request({ ':path': '/none' }).toArray()).toString(), 'not here');
session.close();
server.close();
done('five streams at once, the longest of 20 MiB, echoed');
