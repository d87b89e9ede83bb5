#include "engine/hooks.h"

#include <optional>

#include "engine/callbacks/certificate.h"
#include "engine/callbacks/hello.h"
#include "engine/callbacks/session_lookup.h"
#include "engine/callbacks/status.h"
#include "engine/callbacks/verification.h"
#include "engine/connection.h"
#include "openssl/context/negotiation.h"

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
  if (connection == nullptr || !connection->may_ask(kAskVerification)) return std::nullopt;
  return verify_by_asking(*connection, store);
}

int client_hello(SSL* ssl, int* alert, void*) {
  Connection* connection = Connection::from(ssl);
  if (connection == nullptr) return SSL_CLIENT_HELLO_SUCCESS;
  // Left unanswered: with an answer in the air the client would write to a connection that is gone, and be reset.
  if (connection->renegotiation().too_many()) return SSL_CLIENT_HELLO_RETRY;
  if (connection->hello() == nullptr) return SSL_CLIENT_HELLO_SUCCESS;
  return answer_hello(*connection, alert);
}

// RFC 6066 section 3: a server acknowledges a name that it has used. The context was chosen before.
int server_name(SSL* ssl, int*, void*) {
  const Connection* connection = Connection::from(ssl);
  return connection != nullptr && connection->context_tag() != 0 ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// Nothing: the context's protocols. Empty: none that was offered will do.
std::optional<openssl::ByteView> own_protocol(const SSL* ssl, openssl::ByteView offered) {
  const Connection* connection = Connection::from(ssl);
  if (connection == nullptr) return std::nullopt;
  if (connection->hello() != nullptr && connection->hello()->protocol) return *connection->hello()->protocol;
  if (connection->alpn().empty()) return std::nullopt;
  return openssl::select_protocol(connection->alpn(), offered);
}

SSL_SESSION* find_session(const SSL* ssl, openssl::ByteView id) {
  const Connection* connection = Connection::from(ssl);
  return connection == nullptr ? nullptr : found_session(*connection, id);
}

bool external_sessions(const SSL* ssl) {
  const Connection* connection = Connection::from(ssl);
  return connection != nullptr && connection->external_sessions();
}

int status(SSL* ssl, void*) {
  Connection* connection = Connection::from(ssl);
  if (connection == nullptr) return SSL_is_server(ssl) == 1 ? SSL_TLSEXT_ERR_NOACK : 1;
  return connection->server() ? staple(ssl) : check_status(*connection);
}

// Who made the cookie has checked it, before there was a connection.
int verify_cookie(SSL* ssl, const unsigned char*, unsigned int) {
  const Connection* connection = Connection::from(ssl);
  return connection != nullptr && connection->cookie_verified() ? 1 : 0;
}

}  // namespace

openssl::ContextHooks context_hooks() {
  return {keylog,      new_session,  verify,       verify_cookie,     client_hello,
          server_name, own_protocol, find_session, external_sessions, status};
}

}  // namespace system_tls::engine
