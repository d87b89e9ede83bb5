// What to do about an error, where that is known better than OpenSSL's reason says it.

const advice: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the peer does not speak TLS on this port',
  ERR_SSL_HTTP_REQUEST: 'the peer sent plain HTTP to the TLS port: it should use https:',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'the peer sent a proxy request to the TLS port',
  ERR_SSL_UNEXPECTED_EOF: 'the peer closed the transport without close_notify: what it sent may be incomplete',
  ERR_SSL_NO_SHARED_CIPHER: 'compare the options ciphers and the key types of the certificates on both sides',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the peer offers no version between minVersion and maxVersion',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'the peer accepts no version between minVersion and maxVersion',
  ERR_SSL_NO_PROTOCOLS_AVAILABLE: 'minVersion, maxVersion and the configuration of OpenSSL leave no version',
  ERR_SSL_NO_RENEGOTIATION: 'the peer refuses to renegotiate; OpenSSL ends the connection on this answer',
  ERR_SSL_NO_CIPHER_MATCH: 'no cipher of the option ciphers is known to this OpenSSL',
  ERR_SSL_EE_KEY_TOO_SMALL: 'the security level of OpenSSL asks for a longer key',
  ERR_SSL_CA_KEY_TOO_SMALL: 'the security level of OpenSSL asks for a longer key in the chain',
  ERR_SSL_CA_MD_TOO_WEAK: 'the security level of OpenSSL refuses the digest of a signature in the chain',
  ERR_SSL_DH_KEY_TOO_SMALL: 'the security level of OpenSSL asks for longer Diffie-Hellman parameters',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'the client has no certificate, or none that the server asked for',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the server wants a client certificate: options cert and key',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the peer does not trust the issuer of our certificate',
  ERR_SSL_SESSION_ID_CONTEXT_UNINITIALIZED: 'set the option sessionIdContext',
  ERR_OSSL_X509_KEY_VALUES_MISMATCH: 'the key does not belong to the certificate',
  ERR_OSSL_X509_KEY_TYPE_MISMATCH: 'the key is for another algorithm than the certificate',
  ERR_OSSL_OSSL_STORE_UNREGISTERED_SCHEME:
    "no provider that is loaded serves such URIs: openssl.loadProvider(), for instance with 'pkcs11'",
  ERR_OSSL_PEM_NO_START_LINE: 'there is no line -----BEGIN ...----- of that kind in it',
  ERR_OSSL_UNSUPPORTED: 'the format or algorithm is not known to the providers that are loaded',
  ERR_OSSL_BAD_DECRYPT: 'the passphrase is wrong',
  ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE: 'the passphrase is wrong',
  ERR_OSSL_OSSL_STORE_ERROR_VERIFYING_PKCS12_MAC: 'the passphrase is wrong',
  ERR_OSSL_X509_NO_CERTIFICATE_OR_CRL_FOUND: 'the file holds no certificate and no CRL in PEM',
  CERT_NOT_YET_VALID: 'the time of the certificate has not begun: compare the clocks',
  INVALID_PURPOSE: 'the certificate is not for this use: see its extended key usage (serverAuth, clientAuth)',
  CERT_REVOKED: 'the issuer has revoked the certificate',
  UNABLE_TO_GET_CRL: "the issuer's CRL is missing: option crl, crlFile or caPath; or ask less by crlCheck",
  CRL_HAS_EXPIRED: 'the CRL is out of date: fetch a newer one',
  CERT_CHAIN_TOO_LONG: 'the chain has more intermediates than verifyDepth allows',
  CERT_HAS_EXPIRED: 'the certificate of the peer, or of its issuer, is out of date',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'if this certificate is to be trusted, give it in the option ca',
  SELF_SIGNED_CERT_IN_CHAIN: 'if the root of this chain is to be trusted, give it in the option ca',
  UNABLE_TO_GET_ISSUER_CERT: 'an issuer is missing: give the CA in the option ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'the issuer is unknown: give the CA in the option ca, or the peer must send its intermediate certificates',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'the issuer is unknown: give the CA in the option ca, or the peer must send its intermediate certificates',
  ERR_TLS_CERT_ALTNAME_INVALID: 'the certificate is not for the expected name',
};

export function adviceFor(code: string): string | undefined {
  return advice[code];
}
