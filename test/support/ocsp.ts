// OCSP responses of the CA for its certificates, by the openssl program: RFC 6960.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificates, type Identity, openssl } from './certificates.ts';

const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  const length = body.length < 128 ? [body.length] : [0x82, body.length >> 8, body.length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...length), body]);
};

/** Has the form of a response, and anything inside: nobody but who verifies it can tell. */
export function formOfResponse(inside: Buffer | string = 'a response'): Buffer {
  const basic = Buffer.from('06092b0601050507300101', 'hex');
  const bytes = der(0x30, basic, der(0x04, Buffer.from(inside)));
  return der(0x30, Buffer.of(0x0a, 1, 0), der(0xa0, bytes));
}

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
