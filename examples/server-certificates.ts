// Sets up the certificate and key of a server, and the CA by which it verifies its clients. The callback hears of each
// certificate that OpenSSL looked at, and says what OpenSSL would say.
//
//   node dist-examples/server-certificates.js certificate key CA [port]
import { createServer, type VerifyCallback } from 'system-tls';

const [certFile, keyFile, caFile, port = '0'] = process.argv.slice(2);

const verifyCallback: VerifyCallback = (ok, { certificate, depth, error }) => {
  console.log(`depth ${depth}, ${certificate.subject}: ${error?.message ?? 'ok'}`);
  return ok;
};

// Which file is wrong, and why, is said by the error that this throws.
const server = createServer(
  { certFile, keyFile, caFile, verifyMode: 'PEER', verifyDepth: 1, verifyCallback },
  socket => {
    const name = socket.ssl.peerCertificate?.subject;
    socket.end(name === undefined ? 'no certificate was presented\n' : `hello ${name}\n`);
  },
);
server.on('tlsClientError', error => console.error(error.message));
await server.listen({ port: Number(port) });
console.log(`port ${(server.address() as { port: number }).port}`);
