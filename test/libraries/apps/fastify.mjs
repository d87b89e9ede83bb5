import assert from 'node:assert/strict';
import { once } from 'node:events';
import Fastify from 'fastify';
import { ca, cert, done, http2, https, key } from '../common.mjs';

// As `{ https: { key, cert } }` and `{ http2: true }`, with the module that this application uses.
async function start(serverFactory) {
  const app = Fastify({ serverFactory, forceCloseConnections: true });
  app.get('/sum', async ({ query, protocol }) => ({ sum: Number(query.one) + Number(query.other), protocol }));
  await app.listen({ port: 0, host: '127.0.0.1' });
  return { app, port: app.server.address().port };
}

const overHttps = await start(handler => https.createServer({ cert, key }, handler));
const request = https.get({ host: 'localhost', port: overHttps.port, path: '/sum?one=1&other=2', ca, agent: false });
const [response] = await once(request, 'response');
assert.deepEqual(JSON.parse(Buffer.concat(await response.toArray())), { sum: 3, protocol: 'https' });
await overHttps.app.close();

const overHttp2 = await start(handler => http2.createSecureServer({ cert, key }, handler));
const session = http2.connect(`https://localhost:${overHttp2.port}`, { ca });
const answers = await Promise.all(
  Array.from({ length: 20 }, async (_, one) => {
    const stream = session.request({ ':path': `/sum?one=${one}&other=2` });
    return JSON.parse(Buffer.concat(await stream.toArray()));
  }),
);
answers.forEach(({ sum }, one) => void assert.equal(sum, one + 2));
session.close();
await overHttp2.app.close();
done('https and HTTP/2, 20 streams at once');
