import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';
import { bytes, ca, cert, done, https, key, listen, MiB, sha256 } from '../common.mjs';

const server = https.createServer({ cert, key });
const sockets = new Server(server, { maxHttpBufferSize: 32 * MiB });
sockets.on('connection', socket => socket.on('echo', (data, answer) => answer(data)));
const url = `https://localhost:${await listen(server)}`;

const agent = process.env.LIBRARIES_IMPORT === '1' ? new https.Agent({ ca }) : undefined;
for (const transport of ['polling', 'websocket']) {
  const client = io(url, { ca, agent, transports: [transport], reconnection: false });
  await once(client, 'connect');
  for (const length of [10, 5 * MiB]) {
    const data = bytes(length);
    assert.equal(sha256(await client.timeout(20_000).emitWithAck('echo', data)), sha256(data));
  }
  client.close();
}
await sockets.close();
done('polling and WebSocket, 5 MiB, echoed');
