// Revocation lists, made by the openssl program.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificates, type Identity, openssl } from './certificates.ts';

export interface CrlOptions {
  readonly revoked?: readonly Identity[];
  /** Its time is over. */
  readonly outdated?: boolean;
}

/** A list of `issuer`, in PEM. */
export function makeCrl(issuer: Identity, { revoked = [], outdated = false }: CrlOptions = {}): string {
  const folder = mkdtempSync(join(certificates().folder, 'crl-'));
  const config = join(folder, 'config');
  const crl = join(folder, 'list.pem');
  writeFileSync(join(folder, 'index.txt'), '');
  writeFileSync(
    config,
    `[ca]\ndefault_ca = own\n[own]\ndatabase = ${folder}/index.txt\ndefault_md = sha256\ndefault_crl_days = 30\n`,
  );
  const ca = ['ca', '-config', config, '-cert', issuer.certFile, '-keyfile', issuer.keyFile];
  for (const { certFile } of revoked) openssl(...ca, '-revoke', certFile);
  const dates = ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200201000000Z'];
  openssl(...ca, '-gencrl', '-out', crl, ...(outdated ? dates : []));
  return readFileSync(crl, 'utf8');
}
