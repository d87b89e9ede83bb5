import assert from 'node:assert/strict';
import { once } from 'node:events';
import { WebSocket, WebSocketServer } from 'ws';
import { bytes, ca, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const server = https.createServer({ cert, key });
const sockets = new WebSocketServer({ server, perMessageDeflate: false });
sockets.on('connection', socket => socket.on('message', (data, binary) => socket.send(data, { binary })));
const url = `wss://localhost:${await listen(server)}/`;

const agent = process.env.LIBRARIES_IMPORT === '1' ? new https.Agent() : undefined;
const client = new WebSocket(url, { ca, agent, perMessageDeflate: false });
await once(client, 'open');
for (const length of [0, 1, 70_000, 20 * MiB]) {
  const message = bytes(length);
  client.send(message);
  const [echo] = await once(client, 'message');
  assert.equal(sha256(echo), sha256(message));
}
// Several on their way at once keep their order.
const texts = Array.from({ length: 500 }, (_, number) => `message ${number}`);
const echoes = [];
client.on('message', data => echoes.push(String(data)));
for (const text of texts) client.send(text);
while (echoes.length < texts.length) await once(client, 'message');
assert.deepEqual(echoes, texts);

client.close(4000, 'enough');
assert.deepEqual([(await once(client, 'close'))[0]], [4000]);
sockets.close();
server.close();
done('messages up to 20 MiB, echoed; 500 in a row');
