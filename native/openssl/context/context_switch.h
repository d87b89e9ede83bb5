// From one context to another in the middle of a ClientHello: SSL_set_SSL_CTX(3), and what that leaves as it was.
#pragma once

#include <string_view>

#include "openssl/context/context.h"
#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// What a server's connection is held to, beside what its SSL_CTX says.
struct ConnectionPolicy {
  int verify_mode = SSL_VERIFY_NONE;
  // The handshake goes on whatever verification says.
  bool verify_continue = false;
  // What else its sessions must have in common. Empty: what the context says.
  Bytes session_policy;
};

// In the callback of SSL_CTX_set_client_hello_cb(3) alone. Certificates, ciphers, trust, security level and ALPN come
// with the context; verification, versions, options, tickets and quiet shutdown are set as the context has them. Groups
// are set if the context names some. Sessions of another `scope` are not resumed: their peer was shown other
// certificates. Ticket keys and the cache of sessions stay those of the first context. False: see the error queue.
bool switch_context(SSL* ssl, const Context& to, const ConnectionPolicy& policy, std::string_view scope);

// A client that sends a name is told that it was used: for the contexts between which names decide, and no others. With
// such a callback OpenSSL takes every certificate for one that can serve TLS 1.3, where it would fall back to TLS 1.2
// otherwise (is_tls13_capable() in statem_lib.c). On any thread, as start_keylog().
void acknowledge_names(SSL_CTX* context);

}  // namespace system_tls::openssl
