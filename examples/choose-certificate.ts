// A server that reads the certificate of a name when it is asked for, and a client that shows the one whose authority its server
// trusts.
//
//   node dist-examples/choose-certificate.js
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, createServer } from 'system-tls';
import { type Identity, makeCertificateAuthority } from './support/certificates.ts';

const everybody = makeCertificateAuthority('Public CA');
const staff = makeCertificateAuthority('Staff CA');

/** One object for each name: it is read once. */
const known = new Map<string, Identity>();

const server = createServer(
  {
    requestCert: true,
    ca: staff.cert,
    onCertificate: async ({ servername, signatureAlgorithms }) => {
      const name = servername ?? 'localhost';
      console.log(`server: ${name} for a client that verifies ${signatureAlgorithms[0]}`);
      if (!known.has(name)) {
        await sleep(1); // a key store may be asked here
        known.set(name, everybody.issueServer(name, [name]));
      }
      return known.get(name);
    },
  },
  socket => void socket.end(`hello ${socket.ssl.peerCertificate?.subject}`),
);
await server.listen({ port: 0, host: '127.0.0.1' });
const { port } = server.address() as { port: number };

const own = new Map([
  ['CN=Public CA', everybody.issueClient('guest')],
  ['CN=Staff CA', staff.issueClient('Ada')],
]);

for (const servername of ['a.example', 'b.example']) {
  const socket = await connect({
    ...{ host: '127.0.0.1', port, servername, ca: everybody.cert },
    onCertificate: ({ authorities }) => own.get(authorities.find(each => own.has(each)) ?? ''),
  });
  console.log(`client: the server is ${socket.ssl.peerCertificate?.subject}`);
  for await (const chunk of socket) console.log(`client: ${chunk}`);
}
await server.close();
