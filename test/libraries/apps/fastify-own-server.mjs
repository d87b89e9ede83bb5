import assert from 'node:assert/strict';
import Fastify from 'fastify';
import { Agent, fetch } from 'undici';
import { ca, cert, done, key } from '../common.mjs';

for (const http2 of [false, true]) {
  const app = Fastify({ https: { cert, key, allowHTTP1: true }, http2, forceCloseConnections: true });
  app.get('/', async request => ({ version: request.raw.httpVersion }));
  const [, port] = /:(\d+)$/.exec(await app.listen({ port: 0, host: '127.0.0.1' }));
  const dispatcher = new Agent({ connect: { ca }, allowH2: http2 });
  const answer = await fetch(`https://localhost:${port}/`, { dispatcher });
  assert.deepEqual(await answer.json(), { version: http2 ? '2.0' : '1.1' });
  await dispatcher.close();
  await app.close();
}
done('the servers that fastify makes itself, for https and HTTP/2');
