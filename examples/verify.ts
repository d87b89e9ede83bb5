// Decides by itself which server to trust, and takes its time: a certificate that is pinned by its fingerprint passes
// whatever OpenSSL thinks of it; any other must verify, with one intermediate certificate at most, and must not be on a list
// that is read while the handshake waits.
//
//   node dist-examples/verify.js port SHA256-fingerprint file-of-refused-serial-numbers
import { readFile } from 'node:fs/promises';
import { connect, type Verify } from 'system-tls';

const [port, pinned = '', refusedFile = ''] = process.argv.slice(2);

const verify: Verify = async ({ chain: [certificate], verifyResult }) => {
  if (certificate?.fingerprint256 === pinned) return true;
  if (verifyResult.name !== 'OK') return false;
  const refused = await readFile(refusedFile, 'utf8');
  // The alert that the server gets is certificate_revoked.
  return refused.split('\n').includes(certificate?.serialNumber ?? '') ? 'CERT_REVOKED' : true;
};

const socket = await connect({ port: Number(port), verify, verifyDepth: 1 });
console.log(`accepted ${socket.ssl.peerCertificate?.subject}`);
socket.destroy();
