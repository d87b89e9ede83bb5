// Keys and certificates by URI: OSSL_STORE(3). "file:" is always there; others come with a provider (OpenSSL 3.0).
#pragma once

#include <vector>

#include "openssl/context/credentials.h"

namespace system_tls::openssl {

// The first private key at the place. It may stay in the provider's device. ERR_TLS_PASSPHRASE_REQUIRED if it asked for
// a PIN or passphrase and there is none.
Outcome<PkeyPtr> load_private_key(const StoreInput& input);

// All certificates at the place, in its order.
Outcome<std::vector<X509Ptr>> load_certificates(const StoreInput& input);

}  // namespace system_tls::openssl
