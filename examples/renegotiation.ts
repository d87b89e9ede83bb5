// A new handshake on a TLS 1.2 connection: full, abbreviated, and to learn who the client is.
import { connect, createServer } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const server = createServer(
  {
    ...authority.issueServer('localhost', ['localhost']),
    ca: authority.cert,
    maxVersion: 'TLSv1.2',
    // Off by default: each costs the server a handshake. At most two in a minute here.
    clientRenegotiation: { limit: 2, window: 60 },
  },
  socket => {
    socket.on('renegotiate', ({ from, resumed }) => {
      console.log(
        `server: ${resumed ? 'abbreviated' : 'full'} renegotiation by ${from === 'self' ? 'me' : 'the client'}`,
      );
    });
    socket.on('data', data => void answer(String(data)));

    async function answer(request: string): Promise<void> {
      // The way of TLS 1.2; with TLS 1.3 the same call uses post-handshake authentication.
      if (request === 'secret' && !socket.authorized) await socket.requestClientCertificate();
      socket.write(`${request} for ${socket.ssl.peerCertificate?.subject ?? 'anybody'}`);
    }
  },
);
await server.listen({ host: 'localhost' });

const { port } = server.address() as { port: number };
const client = await connect({ host: 'localhost', port, ca: authority.cert, ...authority.issueClient('Ada') });
client.on('data', data => {
  console.log(`client: got "${data}"`);
  if (String(data).startsWith('secret')) client.end();
});

await client.renegotiate();
await client.renegotiate({ abbreviated: true });
client.write('public');
client.once('data', () => client.write('secret'));
await server.close();
