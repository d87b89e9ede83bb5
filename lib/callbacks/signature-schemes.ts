/** SignatureScheme of RFC 8446 section 4.2.3, and what was registered since (RFC 8734, RFC 8998), by number. */
const names: Readonly<Record<number, string>> = {
  513: 'rsa_pkcs1_sha1',
  515: 'ecdsa_sha1',
  1025: 'rsa_pkcs1_sha256',
  1281: 'rsa_pkcs1_sha384',
  1537: 'rsa_pkcs1_sha512',
  1027: 'ecdsa_secp256r1_sha256',
  1283: 'ecdsa_secp384r1_sha384',
  1539: 'ecdsa_secp521r1_sha512',
  1800: 'sm2sig_sm3',
  2052: 'rsa_pss_rsae_sha256',
  2053: 'rsa_pss_rsae_sha384',
  2054: 'rsa_pss_rsae_sha512',
  2055: 'ed25519',
  2056: 'ed448',
  2057: 'rsa_pss_pss_sha256',
  2058: 'rsa_pss_pss_sha384',
  2059: 'rsa_pss_pss_sha512',
  2074: 'ecdsa_brainpoolP256r1tls13_sha256',
  2075: 'ecdsa_brainpoolP384r1tls13_sha384',
  2076: 'ecdsa_brainpoolP512r1tls13_sha512',
  2308: 'mldsa44',
  2309: 'mldsa65',
  2310: 'mldsa87',
};

const numbers = new Map(Object.entries(names).map(([number, name]) => [name, Number(number)]));

/** Unknown ones in hexadecimal: `'0x0a0a'`. */
export function signatureSchemeName(number: number): string {
  return names[number] ?? `0x${number.toString(16).padStart(4, '0')}`;
}

/** What {@link signatureSchemeName} gave. */
export function signatureSchemeNumber(name: string): number {
  return numbers.get(name) ?? Number(name);
}
