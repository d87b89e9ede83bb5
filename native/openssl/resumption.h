// How the connections of a context find their way back to a session: id context, cache, tickets.
#pragma once

#include <openssl/ssl.h>

#include "openssl/attachment.h"
#include "openssl/context_options.h"
#include "openssl/failure.h"

namespace system_tls::openssl {

// Null, or what is wrong. Keys for tickets in the 48-byte form go into `attachment`.
FailurePtr apply_resumption(SSL_CTX* context, const ContextOptions& options, Attachment& attachment);

}  // namespace system_tls::openssl
