// Sets up the certificate and key of a client, and the CA by which it judges the server; then reads the verdict itself.
//
//   node dist-examples/client-certificates.js port certificate key CA
import { connect } from 'system-tls';

const [port, certFile, keyFile, caFile] = process.argv.slice(2);

const socket = await connect({ port: Number(port), certFile, keyFile, caFile, verifyMode: 'NONE', verifyDepth: 1 });
const { peerCertificate, verifyResult } = socket.ssl;

if (peerCertificate === null) {
  console.log('the peer certificate was not presented');
} else if (verifyResult.name === 'OK') {
  console.log(`verification of ${peerCertificate.subject} succeeded`);
  socket.pipe(process.stdout);
} else {
  console.error(`verification of ${peerCertificate.subject} failed: ${verifyResult.message}`);
  socket.destroy();
  process.exitCode = 1;
}
