// New keys on a TLS 1.3 connection that goes on living: by hand, and after every so many bytes.
import { once } from 'node:events';
import { connect, createServer, type TlsSocket } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

/** RFC 8446, section 5.5: AES-GCM keys are good for 2^24.5 full records. An example has less patience. */
const bytesForOneKey = 1 << 20;

const authority = makeCertificateAuthority('Example CA');
const server = createServer(authority.issueServer('localhost', ['localhost']), socket => {
  socket.on('keyUpdate', ({ from, requested }) => {
    console.log(
      `server: new sending keys of ${from === 'self' ? 'mine' : 'the client'}${requested ? ', asked to answer' : ''}`,
    );
  });
  socket.resume();
});
await server.listen({ host: 'localhost' });

const { port } = server.address() as { port: number };
const client = await connect({ host: 'localhost', port, ca: authority.cert });

console.log('client: my sending keys alone');
await client.keyUpdate();

console.log('client: mine, and yours please');
const { peerUpdated } = await client.keyUpdate({ requestPeer: true });
await peerUpdated;
console.log('client: the server has new sending keys too');

/** Nobody does this by itself: OpenSSL never changes keys because of the amount of data. */
async function sendWithFreshKeys(socket: TlsSocket, chunk: Buffer, chunks: number): Promise<number> {
  let [sent, updates] = [0, 0];
  for (let i = 0; i < chunks; i++) {
    if (!socket.write(chunk)) await once(socket, 'drain');
    sent += chunk.length;
    if (sent < bytesForOneKey) continue;
    await socket.keyUpdate();
    [sent, updates] = [0, updates + 1];
  }
  return updates;
}

console.log(`client: 4 MiB under ${await sendWithFreshKeys(client, Buffer.alloc(65_536), 64)} keys more`);
client.end();
await server.close();
