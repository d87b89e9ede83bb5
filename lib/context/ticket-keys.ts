import { hkdfSync } from 'node:crypto';
import type { NativeTicketKeyRing } from '../../types/binding.d.ts';
import { invalidSecret } from '../base/coded-error.ts';
import { asBytes } from '../base/validate.ts';
import { isRing, nativeRing } from './ticket-key-ring.ts';

/** SSL_CTX_set_tlsext_ticket_keys(3): 16 bytes of name, 32 for HMAC, 32 for AES. */
const opensslLength = 80;
/** node:tls's: 16 bytes of name, 16 for HMAC, 16 for AES. */
const nodeLength = 48;
const nameLength = 16;

/** Keys in OpenSSL's format; node:tls's are stretched, the same way in every process. */
function keyBytes(value: unknown, name: string): Uint8Array {
  const bytes = asBytes(value, name);
  if (bytes.length === opensslLength) return bytes;
  if (bytes.length !== nodeLength) throw invalidSecret(name, 'must have 48 or 80 bytes', value);
  const stretched = hkdfSync(
    'sha256',
    bytes.subarray(nameLength),
    '',
    'system-tls ticket keys',
    opensslLength - nameLength,
  );
  return Buffer.concat([bytes.subarray(0, nameLength), new Uint8Array(stretched)]);
}

/** What a context takes, from what users give. */
export function nativeTicketKeys(value: unknown, name: string): Uint8Array | NativeTicketKeyRing {
  return isRing(value) ? nativeRing(value) : keyBytes(value, name);
}

/** Undefined: the option is not given. */
export function optionalTicketKeys(value: unknown, name: string): Uint8Array | NativeTicketKeyRing | undefined {
  return value === undefined || value === null ? undefined : nativeTicketKeys(value, name);
}
