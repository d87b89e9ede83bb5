import assert from 'node:assert/strict';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { bytes, ca, cert, done, key, MiB, sha256 } from '../common.mjs';

const file = new URL('echo.proto', import.meta.url).pathname;
const { Echo } = grpc.loadPackageDefinition(loadSync(file)).echo;
const limits = { 'grpc.max_receive_message_length': 32 * MiB, 'grpc.max_send_message_length': 32 * MiB };

const server = new grpc.Server(limits);
server.addService(Echo.service, {
  once: ({ request }, callback) => callback(null, request),
  collect: (call, callback) => {
    call.toArray().then(parts => callback(null, { data: Buffer.concat(parts.map(({ data }) => data)) }), callback);
  },
  both: call => call.pipe(call),
});
const identity = [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }];
const credentials = grpc.ServerCredentials.createSsl(null, identity);
const port = await promisify(server.bindAsync.bind(server))('127.0.0.1:0', credentials);
const client = new Echo(`localhost:${port}`, grpc.credentials.createSsl(Buffer.from(ca)), limits);

const large = bytes(20 * MiB);
const { data } = await promisify(client.once.bind(client))({ data: large });
assert.equal(sha256(data), sha256(large));

const parts = Array.from({ length: 100 }, () => bytes(50_000));
const collected = new Promise((resolve, reject) => {
  const call = client.collect((error, value) => (error ? reject(error) : resolve(value)));
  for (const part of parts) call.write({ data: part });
  call.end();
});
assert.equal(sha256((await collected).data), sha256(Buffer.concat(parts)));

const call = client.both();
for (const part of parts) call.write({ data: part });
call.end();
const echoed = await call.toArray();
assert.deepEqual(
  echoed.map(part => sha256(part.data)),
  parts.map(sha256),
);

client.close();
await promisify(server.tryShutdown.bind(server))();
done('a call of 20 MiB, streams of 100 messages in both directions');
