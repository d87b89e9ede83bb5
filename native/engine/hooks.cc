#include "engine/hooks.h"

#include <optional>

#include "engine/connection.h"

namespace system_tls::engine {

namespace {

void keylog(const SSL* ssl, const char* line) {
  if (Connection* connection = Connection::from(ssl)) connection->on_keylog(line);
}

int new_session(SSL* ssl, SSL_SESSION* session) {
  if (Connection* connection = Connection::from(ssl)) connection->on_session(session);
  return 0;  // the reference that the call brings is not kept
}

std::optional<int> verify(const SSL* ssl, X509_STORE_CTX* store) {
  Connection* connection = Connection::from(ssl);
  if (connection == nullptr || !connection->asking()) return std::nullopt;
  return connection->on_verify(store);
}

// Who made the cookie has checked it, before there was a connection.
int verify_cookie(SSL* ssl, const unsigned char*, unsigned int) {
  const Connection* connection = Connection::from(ssl);
  return connection != nullptr && connection->cookie_verified() ? 1 : 0;
}

}  // namespace

openssl::ContextHooks context_hooks() { return {keylog, new_session, verify, verify_cookie}; }

}  // namespace system_tls::engine
