// Chooses the application protocol of each connection, when it is known who is there.
//
//   node dist-examples/alpn.js
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer, type OpenSslError } from 'system-tls';
import { makeCertificateAuthority } from './support/certificates.ts';

const authority = makeCertificateAuthority('Example CA');

const server = createServer(
  {
    ...authority.issueServer('localhost', ['localhost']),
    onALPN: async ({ protocols, servername }) => {
      console.log(`server: ${servername} offers ${protocols.join(', ')}`);
      // Which back end is up may have to be asked first.
      await sleep(1);
      return ['queue/2', 'queue/1'].find(each => protocols.includes(each));
    },
  },
  socket => void socket.end(`this is ${socket.ssl.alpnProtocol}`),
);
await server.listen({ port: 0, host: '127.0.0.1' });
const { port } = server.address() as { port: number };

for (const ALPNProtocols of [['queue/1', 'queue/2'], ['queue/1'], ['http/1.1']]) {
  try {
    const socket = await connect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: authority.cert,
      ALPNProtocols,
    });
    for await (const chunk of socket) console.log(`client: ${chunk}`);
  } catch (error) {
    console.log(`client: refused by ${(error as OpenSslError).alert?.name}`);
  }
}
await server.close();
