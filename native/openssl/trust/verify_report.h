// What verification of a peer's certificates found: all of it, where X509_verify_cert(3) alone stops at the first
// error.
#pragma once

#include <openssl/x509_vfy.h>

#include <cstddef>
#include <vector>

#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// One call of a verify_callback (SSL_CTX_set_verify(3)).
struct VerifyFinding {
  // In VerifyReport::certificates; -1: it was about none.
  int certificate = -1;
  // 0 is the peer's own certificate.
  int depth = 0;
  // X509_V_...
  int error = X509_V_OK;
};

struct VerifyReport {
  // DER: the chain that was built, leaf first, and behind it what else was found fault with.
  std::vector<Bytes> certificates;
  std::size_t chain_length = 0;
  // In OpenSSL's order.
  std::vector<VerifyFinding> findings;
};

// X509_verify_cert(3), to its end whatever it finds. False: it could not come to an end, for a reason that nobody can
// overrule, which `store` keeps. Leaves the error queue as it was.
bool examine(X509_STORE_CTX* store, VerifyReport& report);

}  // namespace system_tls::openssl
