// SSL_SESSION(3), as a value: a copy that nothing else in OpenSSL shares.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"
#include "openssl/session/ticket_app_data.h"

namespace system_tls::openssl {

class Session;

struct SessionResult {
  std::shared_ptr<const Session> session;
  FailurePtr failure;  // set if and only if there is no session
};

class Session {
 public:
  // SSL_SESSION_dup(3). A copy taken when the session arrives, because OpenSSL marks a connection's own session as not
  // resumable when that connection ends without close_notify. Null: out of memory.
  static std::shared_ptr<const Session> copy(const SSL_SESSION* session);
  // d2i_SSL_SESSION(3), for exactly these bytes.
  static SessionResult from_der(ByteView der);

  // i2d_SSL_SESSION(3)
  Bytes to_der() const;

  // For SSL_set_session(3). OpenSSL marks the object that a connection uses, so each connection gets a copy of its own.
  SessionPtr for_connection() const;

  ByteView id() const noexcept;
  std::string version() const;
  std::string cipher() const;
  std::int64_t time() const noexcept;
  std::int64_t timeout() const noexcept;
  std::uint64_t ticket_lifetime_hint() const noexcept;
  bool has_ticket() const noexcept;
  // As the server sent it; empty if it is none.
  ByteView ticket() const noexcept;
  // See set_ticket_app_data().
  std::optional<ByteView> ticket_app_data() const { return openssl::ticket_app_data(get()); }
  bool resumable() const noexcept;
  // set_session_policy(), on the client that it came from.
  int policy() const noexcept;
  std::optional<std::string> servername() const;
  std::optional<std::string> alpn_protocol() const;
  std::uint32_t max_early_data() const noexcept;
  // What the handshake that made the session found: resumption repeats no verification.
  long verify_result() const;
  // DER; empty if there is none.
  Bytes peer_certificate() const;

  explicit Session(SessionPtr session) noexcept : session_(std::move(session)) {}

 private:
  SSL_SESSION* get() const noexcept { return session_.get(); }

  SessionPtr session_;
};

// SSL_set_session(3): null, or why it cannot be used there. `session` is that connection's own copy.
FailurePtr use_session(SSL* ssl, SSL_SESSION* session);

// 'TLSv1.3' for TLS1_3_VERSION; 'unknown' for what has no name.
std::string protocol_name(int version);

}  // namespace system_tls::openssl
