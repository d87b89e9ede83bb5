// The names under which X509_LOOKUP_hash_dir(3) looks for certificates and CRLs in a folder.
#pragma once

#include <string>
#include <vector>

#include "openssl/library/bytes.h"

namespace system_tls::openssl {

struct HashedName {
  bool crl = false;
  // Eight hexadecimal digits: of a certificate's subject, or a CRL's issuer.
  std::string hash;
  // SHA-256 of the DER encoding.
  std::string fingerprint;
};

// All certificates and CRLs of a PEM text, whatever else is in it. Empty if it is none.
std::vector<HashedName> hashed_names(ByteView pem);

}  // namespace system_tls::openssl
