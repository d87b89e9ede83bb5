#include "engine/callbacks/alpn.h"

#include <openssl/tls1.h>

#include <memory>
#include <optional>

#include "engine/callbacks/hello.h"
#include "engine/connection.h"

namespace system_tls::engine {

namespace {

// RFC 7301 section 3.1. Nothing: there is no such extension, or OpenSSL will refuse it.
std::optional<openssl::Bytes> offered_protocols(SSL* ssl) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_application_layer_protocol_negotiation, &data, &size) != 1) {
    return std::nullopt;
  }
  const openssl::ByteView extension(data, size);
  if (size < 2 || (std::size_t{data[0]} << 8 | data[1]) != size - 2) return std::nullopt;
  const openssl::ByteView list = extension.subspan(2);
  for (std::size_t at = 0; at < list.size(); at += 1U + list[at]) {
    if (list[at] == 0 || at + 1U + list[at] > list.size()) return std::nullopt;
  }
  if (list.empty()) return std::nullopt;
  return openssl::Bytes(list.begin(), list.end());
}

}  // namespace

// In a renegotiation OpenSSL keeps to what was chosen. A list of the connection's own is closer to it than a function
// of its context's.
int decide_protocol(Connection& connection) {
  if (!connection.may_ask(kAskProtocol) || connection.hello()->again || !connection.alpn().empty()) return 0;
  Suspension& suspension = *connection.suspension();
  if (suspension.answered()) return suspension.take(connection.ssl());
  std::optional<openssl::Bytes> offered = offered_protocols(connection.ssl());
  if (!offered) return 0;
  connection.ask(std::make_shared<ProtocolSubject>(std::move(*offered)));
  return kStageWaits;
}

int note_protocol(SSL* ssl, openssl::ByteView protocol) {
  Connection::from(ssl)->hello()->protocol.emplace(protocol.begin(), protocol.end());
  return 0;
}

}  // namespace system_tls::engine
