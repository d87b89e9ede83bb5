// What a connection is made with.
#pragma once

#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "openssl/library/bytes.h"

namespace system_tls::engine {

class ServerNames;
struct PresharedKey;

struct Limits {
  std::size_t out_mark = 64 * 1024;
  std::size_t read_ahead = 64 * 1024;
  // Of the peer's, in a row: see KeyUpdates. BoringSSL and rustls use the same number.
  std::uint32_t key_updates = 32;
  std::uint32_t renegotiations = 3;
  std::chrono::milliseconds renegotiation_window = std::chrono::minutes(10);
};

struct ConnectionOptions {
  bool server = false;
  std::string servername;
  std::string verify_host;
  int verify_mode = -1;  // -1: the context's, and its verify_continue
  bool verify_continue = false;
  // What is the application's to decide: a mask of Asks. Names have their own: see ServerNames.
  std::uint32_t asks = 0;
  // Servers: other contexts, by the name that the client sends. Null: none.
  std::shared_ptr<const ServerNames> names;
  // Pre-shared keys, of a client one; null: none. `psk_required`: a handshake without such a key fails.
  std::shared_ptr<const std::vector<PresharedKey>> psks;
  std::string psk_hint;
  bool psk_required = false;
  // Servers: the application keeps the sessions. No tickets then, unless `tickets_too`: then those of clients that have
  // none.
  bool external_sessions = false;
  bool tickets_too = false;
  // Servers: an OCSP response is stapled whatever it is.
  bool staples_anything = false;
  // A client asks for an OCSP response: SSL_set_tlsext_status_type(3).
  bool request_status = false;
  // Instead of the context's protocols, in wire format (RFC 7301 section 3.1). Empty: the context's.
  openssl::Bytes alpn;
  // Servers: what, beside the mode, sessions of this connection must have in common. Empty: what the context says.
  openssl::Bytes session_policy;
  int verify_depth = -1;  // -1: the context's
  // Servers: TLS 1.3 tickets, instead of the context's number.
  std::optional<std::uint32_t> ticket_count;
  bool ktls = false;
  bool dynamic_record_sizing = false;
  // DTLS: bytes of one datagram, SSL_set_mtu(3); 0: what the transport says.
  std::size_t mtu = 0;
  // DTLS: the first ClientHello carries a cookie that the owner has found to be its own: DTLSv1_listen(3).
  bool cookie_verified = false;
  Limits limits;
};

// Of these, what the SSL keeps. False: the error queue says why.
bool configure(SSL* ssl, const ConnectionOptions& options);

}  // namespace system_tls::engine
