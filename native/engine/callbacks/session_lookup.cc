#include "engine/callbacks/session_lookup.h"

#include <openssl/tls1.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "engine/callbacks/hello.h"
#include "engine/connection.h"

namespace system_tls::engine {

namespace {

// RFC 8446 section 4.2.11: the first identity. That of a session which is kept elsewhere is its id.
openssl::ByteView first_identity(SSL* ssl) {
  const openssl::ByteView offered = hello_extension(ssl, TLSEXT_TYPE_psk);
  if (offered.size() < 4) return {};
  const std::size_t size = openssl::two_bytes(offered.subspan(2));
  return offered.size() < 4 + size ? openssl::ByteView() : offered.subspan(4, size);
}

// RFC 5077 section 3.4: the id beside a ticket is of the client's making.
openssl::ByteView offered_session(const Connection& connection) {
  SSL* ssl = connection.ssl();
  openssl::ByteView id;
  const bool opens_tickets = (SSL_get_options(ssl) & SSL_OP_NO_TICKET) == 0;
  if (opens_tickets && !hello_extension(ssl, TLSEXT_TYPE_session_ticket).empty()) return id;
  if (connection.hello()->tls13) {
    id = first_identity(ssl);
  } else {
    const unsigned char* data = nullptr;
    const std::size_t size = SSL_client_hello_get0_session_id(ssl, &data);
    id = {data, size};
  }
  return id.size() <= SSL_MAX_SSL_SESSION_ID_LENGTH ? id : openssl::ByteView();
}

}  // namespace

int decide_session(Connection& connection) {
  if (!connection.may_ask(kAskSession) || connection.hello()->again) return 0;
  Suspension& suspension = *connection.suspension();
  if (suspension.answered()) return suspension.take(connection.ssl());
  const openssl::ByteView id = offered_session(connection);
  if (id.empty()) return 0;
  connection.ask(std::make_shared<SessionSubject>(openssl::Bytes(id.begin(), id.end())));
  return kStageWaits;
}

int keep_session(SSL* ssl, SSL_SESSION* session) {
  SSL_SESSION_up_ref(session);
  Connection::from(ssl)->hello()->session.reset(session);
  return 0;
}

// OpenSSL up to TLS 1.2 fails the handshake for one with another id, and with TLS 1.3 takes it.
SSL_SESSION* found_session(const Connection& connection, openssl::ByteView id) {
  SSL_SESSION* session = connection.hello() == nullptr ? nullptr : connection.hello()->session.get();
  if (session == nullptr) return nullptr;
  unsigned size = 0;
  const unsigned char* own = SSL_SESSION_get_id(session, &size);
  if (!std::equal(own, own + size, id.begin(), id.end())) return nullptr;
  SSL_SESSION_up_ref(session);
  return session;
}

}  // namespace system_tls::engine
