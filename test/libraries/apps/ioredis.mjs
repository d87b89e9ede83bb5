import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Redis } from 'ioredis';
import { bytes, ca, done, MiB, sha256 } from '../common.mjs';

const settings = { host: 'localhost', port: Number(process.env.SERVER_PORT), tls: { ca }, retryStrategy: () => null };
const [client, subscriber] = [new Redis(settings), new Redis(settings)];

const data = bytes(20 * MiB);
await client.set('ioredis:large', data);
assert.equal(sha256(await client.getBuffer('ioredis:large')), sha256(data));

const counted = await Promise.all(Array.from({ length: 1000 }, () => client.incr('ioredis:counter')));
assert.deepEqual(
  counted,
  Array.from({ length: 1000 }, (_, n) => n + 1),
);

await subscriber.subscribe('ioredis:news');
const heard = once(subscriber, 'message');
await client.publish('ioredis:news', 'hello');
assert.deepEqual(await heard, ['ioredis:news', 'hello']);

await client.del('ioredis:large', 'ioredis:counter');
await Promise.all([client.quit(), subscriber.quit()]);
done('a value of 20 MiB, 1,000 commands in a pipeline, publish and subscribe');
