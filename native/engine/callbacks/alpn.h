// The application protocol (ALPN, RFC 7301) of one connection: by a function of the application's, or from a list of
// its own instead of the context's.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/question.h"
#include "openssl/library/bytes.h"

#include <openssl/ssl.h>

namespace system_tls::engine {

class Connection;

// An answer's result is 0, or the alert to send. It has noted the protocol.
class ProtocolSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 4;
  explicit ProtocolSubject(openssl::Bytes list) : Subject(kKind), offered(std::move(list)) {}

  // In wire format.
  const openssl::Bytes offered;
};

// A stage of answer_hello().
int decide_protocol(Connection& connection);
// On OpenSSL's stack, in that callback: `protocol` is one of those that were offered; empty: none of them.
int note_protocol(SSL* ssl, openssl::ByteView protocol);

}  // namespace system_tls::engine
