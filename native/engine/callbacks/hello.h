// What a server's connection decides at a ClientHello: SSL_CTX_set_client_hello_cb(3).
//
// In this order: what the application says of the hello itself, the context by the name in it, a pre-shared key, the
// session to resume, the protocol (ALPN). Each may be asked of the application, and waits by the callback's own retry.
// The context is changed there and nowhere later: the version is not chosen yet, and OpenSSL has not looked for a
// session to resume.
//
// What was decided holds for a second hello, behind a HelloRetryRequest. A renegotiation asks about the hello alone.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/connection_options.h"
#include "openssl/context/context_switch.h"
#include "openssl/library/bytes.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

class Connection;

struct HelloState {
  enum class Stage : std::uint8_t { hello, name, psk, session, protocol, decided };
  Stage stage = Stage::hello;
  // The hello is one of a renegotiation.
  bool again = false;
  // As it crossed, with its header; kept only while it may be asked about.
  openssl::Bytes message;

  // Client and server can both do it, so it will be TLS 1.3.
  bool tls13 = false;

  // Other contexts. Null: none.
  std::shared_ptr<const ServerNames> names;
  // As the first ClientHello has it; empty: it has none.
  std::string name;
  // Why, if the name was refused.
  enum class Refusal : std::uint8_t { none, unknown, changed } refusal = Refusal::none;

  // That the application keeps for the client; null: none.
  openssl::SessionPtr session;

  // What was chosen instead of the context's protocols; empty: none of those that were offered.
  std::optional<openssl::Bytes> protocol;

  // What the owner has set on the connection holds whatever the context.
  bool own_verification = false;
  openssl::OwnSettings own;
  // Of the verification that the connection has now: ConnectionOptions::session_policy.
  openssl::Bytes session_policy;
  // ContextChoice::tag of the context in use; 0: the one that the connection began with.
  std::int32_t tag = 0;

  std::string refusal_text() const;
};

// Results of a stage: 0, or an alert to send, or this.
inline constexpr int kStageWaits = -1;

// In that callback. Empty: there is no such extension.
openssl::ByteView hello_extension(SSL* ssl, unsigned type);
// A server whose certificate may depend on the name resumes no session of another one (RFC 6066 section 3): OpenSSL
// compares no names.
bool keep_sessions_to_name(Connection& connection);

// As SSL_CTX_set_client_hello_cb(3) wants it.
int answer_hello(Connection& connection, int* alert);

}  // namespace system_tls::engine
