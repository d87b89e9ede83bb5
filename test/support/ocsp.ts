// OCSP responses of the CA for its certificates, by the openssl program: RFC 6960.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificates, type Identity, openssl } from './certificates.ts';

const made = new Map<string, { readonly der: Buffer; readonly file: string }>();

/** A response that says that the certificate is good, signed by the CA; the same each time. */
export function ocspResponse(identity: Identity): { readonly der: Buffer; readonly file: string } {
  const known = made.get(identity.certFile);
  if (known !== undefined) return known;
  const { folder, ca } = certificates();
  const name = join(folder, `ocsp-${made.size}`);
  const [index, request, file] = [`${name}.index`, `${name}.request`, `${name}.der`];
  const serial = openssl('x509', '-in', identity.certFile, '-noout', '-serial').trim().replace('serial=', '');
  const subject = openssl('x509', '-in', identity.certFile, '-noout', '-subject', '-nameopt', 'compat').trim();
  writeFileSync(index, `V\t491231235959Z\t\t${serial}\tunknown\t${subject.replace(/^subject=\s*/, '')}\n`);
  openssl('ocsp', '-issuer', ca.certFile, '-cert', identity.certFile, '-reqout', request, '-no_nonce');
  openssl(
    ...['ocsp', '-index', index, '-CA', ca.certFile, '-rsigner', ca.certFile, '-rkey', ca.keyFile],
    ...['-reqin', request, '-respout', file, '-ndays', '7'],
  );
  const response = { der: readFileSync(file), file };
  made.set(identity.certFile, response);
  return response;
}
