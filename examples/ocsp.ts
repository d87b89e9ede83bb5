// A server that staples an OCSP response, and a client that insists on one.
//
//   node dist-examples/ocsp.js certificate.pem key.pem ca.pem response.der
import { readFile } from 'node:fs/promises';
import { connect, createServer } from 'system-tls';

const [certFile, keyFile, caFile = '', responseFile = ''] = process.argv.slice(2);

/** Kept in memory, and fetched again long before its time is over: a handshake should not wait for a responder. */
const responses = new Map<string, Promise<Buffer>>();

const server = createServer(
  {
    certFile,
    keyFile,
    onStatusRequest: ({ certificate }) => {
      const { serialNumber } = certificate;
      if (!responses.has(serialNumber)) {
        console.log(`server: fetches the response for ${certificate.subject}`);
        responses.set(serialNumber, readFile(responseFile));
      }
      return responses.get(serialNumber);
    },
  },
  socket => void socket.end('hello'),
);
await server.listen({ port: 0, host: '127.0.0.1' });
const { port } = server.address() as { port: number };

for (let visit = 0; visit < 2; visit++) {
  const socket = await connect({
    ...{ host: '127.0.0.1', port, servername: 'localhost', caFile },
    // Here belongs a library that reads OCSP (RFC 6960): signature, time, and whether the certificate is good.
    onStatus: async response => response !== null && response.length > 0,
  });
  console.log(
    `client: ${socket.ssl.ocspResponse?.length ?? 0} bytes are stapled to ${socket.ssl.peerCertificate?.subject}`,
  );
  for await (const chunk of socket) console.log(`client: ${chunk}`);
}
await server.close();
