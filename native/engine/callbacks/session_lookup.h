// Sessions that the application keeps, for several servers: the one that a client asks for is looked up at the
// ClientHello, and SSL_CTX_sess_set_get_cb(3) only reads what was found.
#pragma once

#include <cstdint>
#include <utility>

#include "engine/question.h"
#include "openssl/library/bytes.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

class Connection;

// An answer's result is 0. It has kept a session, if one was found.
class SessionSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 8;
  explicit SessionSubject(openssl::Bytes wanted) : Subject(kKind), id(std::move(wanted)) {}

  const openssl::Bytes id;
};

// A stage of answer_hello().
int decide_session(Connection& connection);
// On OpenSSL's stack, in that callback. `session` is the connection's own copy.
int keep_session(SSL* ssl, SSL_SESSION* session);
// As SSL_CTX_sess_set_get_cb(3) wants it: with a reference of the caller's. Null: none.
SSL_SESSION* found_session(const Connection& connection, openssl::ByteView id);

}  // namespace system_tls::engine
