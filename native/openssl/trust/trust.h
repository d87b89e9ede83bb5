// Whom a context trusts, and what becomes of the verdict.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "openssl/context/context_options.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

// ca, caFile, caPath, the system's store, crl, verifyMode, verifyDepth and verifyContinue. Null, or what is wrong.
FailurePtr apply_trust(SSL_CTX* context, const ContextOptions& options);

// Into the store, and into the names that a server sends with a CertificateRequest.
FailurePtr trust_authority(SSL_CTX* context, X509* authority, const std::string& name);

// The names of ContextOptions::authorities are a client's. A server that has none of its own would send them to its
// clients. False: out of memory.
bool withhold_authorities(SSL* server);

}  // namespace system_tls::openssl
