import assert from 'node:assert/strict';
import { createClient, RESP_TYPES } from 'redis';
import { bytes, ca, done, MiB, sha256 } from '../common.mjs';

const socket = { host: 'localhost', port: Number(process.env.SERVER_PORT), tls: true, ca, reconnectStrategy: false };
const client = await createClient({ socket }).connect();
const subscriber = await client.duplicate().connect();

const data = bytes(20 * MiB);
await client.set('redis:large', data);
const buffers = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
assert.equal(sha256(await buffers.get('redis:large')), sha256(data));

const counted = await Promise.all(Array.from({ length: 1000 }, () => client.incr('redis:counter')));
assert.deepEqual(
  counted,
  Array.from({ length: 1000 }, (_, n) => n + 1),
);

const heard = new Promise(resolve =>
  subscriber.subscribe('redis:news', resolve).then(() => client.publish('redis:news', 'hello')),
);
assert.equal(await heard, 'hello');

await client.del(['redis:large', 'redis:counter']);
await Promise.all([client.close(), subscriber.unsubscribe().then(() => subscriber.close())]);
done('a value of 20 MiB, 1,000 commands in a pipeline, publish and subscribe');
