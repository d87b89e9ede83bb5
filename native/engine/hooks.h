// The callbacks that OpenSSL knows per SSL_CTX only, led to the connection that they are about.
#pragma once

#include "openssl/context/context.h"

namespace system_tls::engine {

openssl::ContextHooks context_hooks();

}  // namespace system_tls::engine
