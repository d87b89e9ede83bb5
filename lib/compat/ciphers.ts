// tls.getCiphers(), of the system.
import { SslContext } from '../context/context.ts';

let names: readonly string[] | undefined;

/** What the system's policy lets a context negotiate, by OpenSSL's names: in lower case, in order, as node gives its own. */
export function getCiphers(): string[] {
  names ??= [...new SslContext({ systemCa: false }).ciphers].map(name => name.toLowerCase()).sort();
  return [...names];
}
