import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';

/** Puts ca.pem, cert.pem and key.pem for localhost into a folder. @param {string} folder */
export function makeCertificates(folder) {
  const openssl = (/** @type {string[]} */ args) =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  writeFileSync(
    path.join(folder, 'leaf.cnf'),
    'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nbasicConstraints=critical,CA:FALSE\n',
  );
  const ca = ['-keyout', 'ca-key.pem', '-out', 'ca.pem', '-subj', '/CN=libraries', '-days', '2'];
  openssl(['req', '-x509', '-newkey', 'rsa:2048', '-nodes', ...ca]);
  openssl([
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-keyout',
    'key.pem',
    '-out',
    'request.pem',
    '-subj',
    '/CN=localhost',
  ]);
  const issuer = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-days', '2'];
  openssl(['x509', '-req', '-in', 'request.pem', '-out', 'cert.pem', ...issuer, '-extfile', 'leaf.cnf']);
}
