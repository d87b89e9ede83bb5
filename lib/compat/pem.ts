// Certificates in text, as node's OpenSSL finds them there.
import { X509Certificate } from 'node:crypto';

/** Also of one that is damaged. */
export const namesCertificate = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/;
const certificate = /-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[^-]+-----END [^-]+-----/g;
/** Also one that is cut off, with which the reader stops. */
const plainCertificate = /^-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*(?:-----END [^-]+-----)?/gm;
const byteOrderMark = /^\uFEFF/;

/** What options take: PEM_read_bio_X509_AUX(3). */
export function certificateBlocks(text: string): string[] {
  return text.match(certificate) ?? [];
}

/** What lists of trust take: PEM_read_bio_X509(3), which passes over a "TRUSTED CERTIFICATE". */
export function plainBlocks(text: string): string[] {
  return text.replace(byteOrderMark, '').match(plainCertificate) ?? [];
}

/** Those before the first that cannot be read. */
export function readableCertificates(text: string): string[] {
  const readable: string[] = [];
  for (const block of plainBlocks(text)) {
    try {
      readable.push(new X509Certificate(block).toString());
    } catch {
      break;
    }
  }
  return readable;
}
