// Keys and certificates for one run, made by the openssl program.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';

/** @typedef {{ cert: string, key: string }} Identity */
/** @typedef {Record<KeyKind | 'client', Identity>} Certificates */

const kinds = {
  'P-256': ['ec', 'ec_paramgen_curve:P-256'],
  'RSA-2048': ['rsa', 'rsa_keygen_bits:2048'],
};

/** @typedef {keyof typeof kinds} KeyKind */

/**
 * @param {string} folder
 * @returns {Certificates}
 */
export function makeCertificates(folder) {
  mkdirSync(folder, { recursive: true });
  const make = (/** @type {string} */ name, /** @type {KeyKind} */ kind) => {
    const [algorithm = '', parameter = ''] = kinds[kind];
    const files = { cert: path.join(folder, `${name}.pem`), key: path.join(folder, `${name}.key`) };
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const newKey = ['-newkey', algorithm, '-pkeyopt', parameter, '-nodes', '-keyout', files.key];
    execFileSync('openssl', ['req', '-x509', ...newKey, ...subject, '-days', '3', '-out', files.cert], {
      stdio: 'pipe',
    });
    return files;
  };
  return { 'P-256': make('p256', 'P-256'), 'RSA-2048': make('rsa', 'RSA-2048'), client: make('client', 'P-256') };
}
