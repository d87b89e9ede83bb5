// The ClientHello as the application sees it, and what it says of the connection then.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "engine/callbacks/server_names.h"
#include "engine/question.h"
#include "openssl/context/identity.h"

namespace system_tls::engine {

// An answer's result is 0 (go on), or the alert to send. It has applied settings, or left all as it was.
class ClientHelloSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 3;
  ClientHelloSubject(openssl::Bytes bytes, bool again)
      : Subject(kKind), message(std::move(bytes)), renegotiation(again) {}

  // The handshake message, with its header.
  const openssl::Bytes message;
  const bool renegotiation;
};

// Of one connection, behind the context that it may be switched to.
struct HelloSettings {
  std::optional<ContextChoice> context;
  std::optional<ContextChoice::Verification> verification;
  // 0: what the context says.
  int min_version = 0;
  int max_version = 0;
  std::optional<std::string> cipher_list;
  std::optional<std::string> ciphersuites;
  std::optional<std::string> groups;
  // In wire format (RFC 7301 section 3.1).
  std::optional<openssl::Bytes> alpn;
  // Null: the context's.
  std::shared_ptr<const openssl::Identity> identity;
};

// A stage of answer_hello().
int decide_hello(Connection& connection);
// On OpenSSL's stack, in that callback. 0, or an alert; the error queue says why.
int apply_settings(SSL* ssl, const HelloSettings& settings);

}  // namespace system_tls::engine
