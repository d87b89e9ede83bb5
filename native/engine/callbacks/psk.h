// Pre-shared keys of the application's (RFC 8446 section 2.2, RFC 4279): known beforehand, or by a function.
//
// A client is asked before its handshake, since TLS 1.3 offers the key in the first message. A server is asked at the
// ClientHello where that names the key (TLS 1.3); up to TLS 1.2 the name comes later, and the question waits in an
// ASYNC job.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/question.h"
#include "openssl/library/bytes.h"

namespace system_tls::engine {

class Connection;

struct PresharedKey {
  openssl::Bytes identity;
  openssl::SecretBytes key;
  // The hash that TLS 1.3 uses it with (RFC 8446 section 4.2.11); otherwise SHA-256.
  bool sha384 = false;
};

using PresharedKeys = std::vector<PresharedKey>;

// An answer's result is 0 (it has kept a key, or there is none), or the alert to send.
class PskSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 9;
  PskSubject() : Subject(kKind) {}

  // On a server: what the client offers, by its preference.
  std::vector<openssl::Bytes> identities;
  // On a client: of the server, up to TLS 1.2. Empty: none, or not known yet.
  std::string hint;
};

// Of one connection that has or asks for keys.
struct PskState {
  // Null: none are known.
  std::shared_ptr<const PresharedKeys> known;
  // Found, or given by the function: what this connection may use.
  std::optional<PresharedKey> chosen;
  // A client's function was asked before the handshake.
  bool asked = false;
  bool required = false;
};

// A client, before its handshake.
enum class PskChoice { made, waits, failed };
PskChoice choose_psk(Connection& connection);
// A stage of answer_hello().
int decide_psk(Connection& connection);
// In the place where the question was asked. 0.
int keep_psk(SSL* ssl, const PresharedKey& key);

// Whether the handshake that is complete, or the one that its session comes from, used such a key.
bool psk_used(const SSL* ssl);
// Its name; empty: none was used.
openssl::Bytes psk_identity(const SSL* ssl);

}  // namespace system_tls::engine
