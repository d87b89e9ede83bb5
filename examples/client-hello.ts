// Looks at each ClientHello before anything else: lets old versions in under internal names alone, and refuses clients by their
// fingerprint.
//
//   node dist-examples/client-hello.js
import { connect, createServer, ja3, ja4, type OpenSslError } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');
const refused = new Set<string>();
let last = '';

const server = createServer(
  {
    ...authority.issueServer('localhost', ['localhost', 'old.internal']),
    onClientHello: async hello => {
      last = ja4(hello);
      console.log(`server: ${hello.serverName} has JA3 ${ja3(hello)} and JA4 ${last}`);
      // A service elsewhere may be asked here: the handshake waits.
      if (refused.has(last)) return { alert: 'access_denied' };
      return hello.serverName?.endsWith('.internal') ? null : { minVersion: 'TLSv1.3' };
    },
  },
  socket => void socket.end(`hello over ${socket.ssl.version}`),
);
await server.listen({ port: 0, host: '127.0.0.1' });
const { port } = server.address() as { port: number };

async function visit(servername: string, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<void> {
  try {
    const socket = await connect({ host: '127.0.0.1', port, ca: authority.cert, servername, maxVersion });
    for await (const chunk of socket) console.log(`client: ${chunk}`);
  } catch (error) {
    console.log(`client: refused by ${(error as OpenSslError).alert?.name}`);
  }
}

await visit('localhost', 'TLSv1.3');
await visit('localhost', 'TLSv1.2');
await visit('old.internal', 'TLSv1.2');
refused.add(last);
await visit('old.internal', 'TLSv1.2');
await server.close();
