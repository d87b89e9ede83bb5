import { hkdfSync } from 'node:crypto';
import { invalidSecret } from '../base/coded-error.ts';
import { asBytes } from '../base/validate.ts';

/** SSL_CTX_set_tlsext_ticket_keys(3): 16 bytes of name, 32 for HMAC, 32 for AES. */
const opensslLength = 80;
/** node:tls's: 16 bytes of name, 16 for HMAC, 16 for AES. */
const nodeLength = 48;
const nameLength = 16;

/** Keys in OpenSSL's format; node:tls's are stretched, the same way in every process. */
export function ticketKeys(value: unknown): Uint8Array | undefined {
  if (value === undefined || value === null) return undefined;
  const bytes = asBytes(value, 'options.ticketKeys');
  if (bytes.length === opensslLength) return bytes;
  if (bytes.length !== nodeLength) throw invalidSecret('options.ticketKeys', 'must have 48 or 80 bytes', value);
  const stretched = hkdfSync(
    'sha256',
    bytes.subarray(nameLength),
    '',
    'system-tls ticket keys',
    opensslLength - nameLength,
  );
  return Buffer.concat([bytes.subarray(0, nameLength), new Uint8Array(stretched)]);
}
