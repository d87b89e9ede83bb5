// From one context to another in the middle of a ClientHello: SSL_set_SSL_CTX(3), and what that leaves as it was.
#pragma once

#include <string_view>

#include "openssl/context/context.h"
#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// What the owner of a connection has set on it, whatever its context: it stays.
struct OwnSettings {
  bool verify_depth = false;
  bool quiet_shutdown = false;
  bool max_send_fragment = false;
  bool no_renegotiation = false;
  bool no_tickets = false;
  bool ticket_count = false;
};

// What a server's connection is held to behind the switch.
struct SwitchPolicy {
  int verify_mode = SSL_VERIFY_NONE;
  // The handshake goes on whatever verification says.
  bool verify_continue = false;
  // What else its sessions must have in common. Empty: what the contexts say.
  ByteView session_policy;
  // Sessions of another scope are not resumed: their peer was shown other certificates.
  std::string_view scope;
  OwnSettings own;
};

// In the callback of SSL_CTX_set_client_hello_cb(3) alone. Certificates, ciphers, trust, security level and ALPN come
// with the context; versions, options, depth, tickets, quiet shutdown and the length of records are set as the context
// has them, groups if it names some. A security level of the connection's own stays. Ticket keys and the cache of
// sessions stay those of the first context. False: see the error queue.
bool switch_context(SSL* ssl, const Context& to, const SwitchPolicy& policy);

// A client that sends a name is told that it was used: for the contexts between which names decide, and no others. With
// such a callback OpenSSL takes every certificate for one that can serve TLS 1.3, where it would fall back to TLS 1.2
// otherwise (is_tls13_capable() in statem_lib.c). On any thread, as start_keylog().
void acknowledge_names(SSL_CTX* context);

}  // namespace system_tls::openssl
