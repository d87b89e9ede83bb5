// An HTTPS service and its client as for node:https, with one import changed, and then what node:https cannot do.
//
//   node dist-examples/drop-in.js
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import https from 'system-tls/https';
import { sslOf } from 'system-tls/tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');

const server = https.createServer(authority.issueServer('localhost', ['localhost']), (request, response) => {
  const ssl = sslOf(request.socket as TLSSocket);
  // The keys that the answer is sent with are new ones.
  void ssl?.keyUpdate().then(() => response.end(`${ssl.version}, ${ssl.keyUpdateType}`));
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;

const request = https.get({ host: '127.0.0.1', port, servername: 'localhost', ca: authority.cert, agent: false });
request.on('socket', socket => {
  socket.once('secureConnect', () =>
    sslOf(socket as TLSSocket)?.on('keyUpdate', () => console.log('client: new keys')),
  );
});
const [response] = await once(request, 'response');
console.log(`client: ${response.statusCode}, ${(await text(response)).split(',')[0]}`);
server.close();
