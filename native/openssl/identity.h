// Who a context is: its certificates, their chains and their keys.
#pragma once

#include <openssl/ssl.h>

#include "openssl/context_options.h"
#include "openssl/failure.h"

namespace system_tls::openssl {

// cert, key and pfx. Null, or what is wrong with them.
FailurePtr apply_identity(SSL_CTX* context, const ContextOptions& options);

}  // namespace system_tls::openssl
