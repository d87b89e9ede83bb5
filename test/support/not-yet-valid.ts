// A certificate whose time has not begun; only `openssl ca` of OpenSSL 3.0 takes a date to begin with.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificates, type Identity, openssl } from './certificates.ts';

export function makeNotYetValid(): Identity {
  const { folder, ca } = certificates();
  const own = mkdtempSync(join(folder, 'future-'));
  const [config, certFile, keyFile, request] = ['config', 'cert.pem', 'cert.key', 'request.csr'].map(name =>
    join(own, name),
  ) as [string, string, string, string];
  writeFileSync(join(own, 'index.txt'), '');
  writeFileSync(
    config,
    `[ca]
default_ca = own
[own]
database = ${own}/index.txt
new_certs_dir = ${own}
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = leaf
[any]
commonName = supplied
[leaf]
basicConstraints = critical,CA:FALSE
subjectAltName = DNS:localhost
`,
  );
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  openssl('req', '-new', ...key, '-out', request, '-subj', '/CN=localhost');
  openssl(
    ...['ca', '-batch', '-config', config, '-cert', ca.certFile, '-keyfile', ca.keyFile, '-notext'],
    ...['-in', request, '-out', certFile, '-startdate', '20450101000000Z', '-enddate', '20460101000000Z'],
  );
  return { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8'), certFile, keyFile };
}
