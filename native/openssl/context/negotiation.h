// What a context offers and accepts: versions, ciphers, signature algorithms, groups, ALPN; and how long its records
// are.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>

#include "openssl/context/attachment.h"
#include "openssl/context/context_options.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

// Null, or what is wrong. A server's ALPN list goes into `attachment`.
FailurePtr apply_negotiation(SSL_CTX* context, const ContextOptions& options, Attachment& attachment);

// Clear bytes of a record of one connection, from here on: SSL_set_max_send_fragment(3).
void set_max_send_fragment(SSL* ssl, std::uint32_t size);

// For the next handshake of one connection. Null, or what is wrong; the connection is as it was then.
FailurePtr set_ciphers(SSL* ssl, const std::optional<std::string>& list, const std::optional<std::string>& suites);

// The first of `own` that was offered, as a part of `offered`; both in wire format (RFC 7301 section 3.1). Empty: none.
ByteView select_protocol(ByteView own, ByteView offered);

}  // namespace system_tls::openssl
