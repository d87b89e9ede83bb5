// Messages over UDP: a server that echoes, and a client that counts what comes back.
//
//   node dist-examples/dtls.js
import { connectDtls, createDtlsServer } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');

const server = createDtlsServer(authority.issueServer('localhost', ['localhost', '127.0.0.1']), async (ssl, peer) => {
  console.log(`server: ${peer.address} is back with its cookie, ${ssl.version}`);
  for await (const message of ssl) await ssl.write(message);
  ssl.close();
});
await server.listen({ host: '127.0.0.1' });

const ssl = await connectDtls({ host: '127.0.0.1', port: server.address()?.port ?? 0, ca: authority.cert });
for (const message of ['one', 'two', 'three']) {
  await ssl.write(message);
  // A datagram may be lost: who needs it asks again.
  console.log(`client: ${await ssl.read({ timeout: 5000 })}`);
}
await ssl.shutdown();
ssl.close();
await server.close();
