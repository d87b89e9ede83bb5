// How the connections of a context find their way back to a session: id context, cache, tickets.
#pragma once

#include <openssl/ssl.h>

#include "openssl/context_options.h"
#include "openssl/failure.h"

namespace system_tls::openssl {

// Null, or what is wrong.
FailurePtr apply_resumption(SSL_CTX* context, const ContextOptions& options);

// The renegotiations of a server's connection are full from now on: its sessions get an id context that no other has.
FailurePtr resume_nothing(SSL* ssl);

// A client's session of up to TLS 1.2 is not offered if its cipher is not: to be called when either has changed.
void withhold_session_of_other_ciphers(SSL* ssl);

}  // namespace system_tls::openssl
