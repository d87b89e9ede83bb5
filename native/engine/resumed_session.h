// A resumed handshake verifies nothing: a session that was made without verification, or for another host, must not
// pass.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "openssl/library/failure.h"

namespace system_tls::engine {

// After a handshake. Null: it may pass. `verify_host`: empty for any.
openssl::FailurePtr check_resumed_session(SSL* ssl, const std::string& verify_host);

}  // namespace system_tls::engine
