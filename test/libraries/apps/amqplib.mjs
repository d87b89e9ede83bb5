import assert from 'node:assert/strict';
import amqp from 'amqplib';
import { bytes, ca, done, MiB, sha256 } from '../common.mjs';

const url = `amqps://guest:guest@localhost:${process.env.SERVER_PORT}`;
const connection = await amqp.connect(url, { ca });
const channel = await connection.createConfirmChannel();
const { queue } = await channel.assertQueue('', { exclusive: true });

const sent = [bytes(5 * MiB), ...Array.from({ length: 500 }, (_, n) => Buffer.from(`message ${n}`))];
const received = new Promise(resolve => {
  const contents = [];
  channel.consume(queue, message => {
    channel.ack(message);
    contents.push(sha256(message.content));
    if (contents.length === sent.length) resolve(contents);
  });
});
for (const content of sent) channel.sendToQueue(queue, content);
await channel.waitForConfirms();
assert.deepEqual(await received, sent.map(sha256));

await assert.rejects(amqp.connect(url, { ca: [] }), {
  code: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/,
});
await channel.close();
await connection.close();
done('5 MiB and 500 messages, confirmed and in order');
