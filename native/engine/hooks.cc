#include "engine/hooks.h"

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

}  // namespace

openssl::ContextHooks context_hooks() { return {keylog, new_session}; }

}  // namespace system_tls::engine
