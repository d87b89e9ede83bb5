#include "engine/callbacks/hello.h"

#include <openssl/ssl.h>
#include <openssl/tls1.h>

#include <array>

#include "engine/callbacks/alpn.h"
#include "engine/callbacks/client_hello.h"
#include "engine/callbacks/psk.h"
#include "engine/callbacks/server_names.h"
#include "engine/callbacks/session_lookup.h"
#include "engine/connection.h"
#include "engine/job.h"
#include "openssl/trust/verification.h"

namespace system_tls::engine {

namespace {

using Stage = HelloState::Stage;

// In the order of HelloState::Stage.
constexpr std::array kStages{decide_hello, decide_name, decide_psk, decide_session, decide_protocol};

// RFC 8446 section 4.1.2: behind a HelloRetryRequest the rest of the ClientHello is the same. And what was decided and
// verified in a handshake before holds for the name of the first one.
bool names_another(HelloState& hello, SSL* ssl) {
  if (hello.names == nullptr || hello_server_name(ssl).value_or(std::string()) == hello.name) return false;
  hello.refusal = HelloState::Refusal::changed;
  return true;
}

// RFC 8446 section 4.2.1: one byte of length, then versions of two bytes.
bool offers_tls13(SSL* ssl) {
  const long most = SSL_get_max_proto_version(ssl);
  if (most != 0 && most < TLS1_3_VERSION) return false;
  const openssl::ByteView versions = hello_extension(ssl, TLSEXT_TYPE_supported_versions);
  for (std::size_t at = 1; at + 1 < versions.size(); at += 2) {
    if (openssl::two_bytes(versions.subspan(at)) == TLS1_3_VERSION) return true;
  }
  return false;
}

int run_stages(Connection& connection, HelloState& hello) {
  if (hello.stage == Stage::hello && !hello.again) {
    hello.name = hello_server_name(connection.ssl()).value_or(std::string());
  }
  while (hello.stage != Stage::decided) {
    const int result = kStages[static_cast<std::size_t>(hello.stage)](connection);
    if (result == kStageWaits) return result;
    hello.stage = result == 0 ? static_cast<Stage>(static_cast<int>(hello.stage) + 1) : Stage::decided;
    if (result != 0) return result;
    // Behind the stages that may change what the server can do.
    if (hello.stage == Stage::psk) hello.tls13 = offers_tls13(connection.ssl());
  }
  hello.message.clear();
  const bool by_name = connection.may_ask(kAskCertificate) && !hello.again;
  return by_name && !keep_sessions_to_name(connection) ? SSL_AD_INTERNAL_ERROR : 0;
}

// What verifies in a job needs one, and until now nobody knew: the handshake is driven again, in one.
bool needs_job_now(const Connection& connection) { return connection.may_pause() && !in_job(); }

}  // namespace

openssl::ByteView hello_extension(SSL* ssl, unsigned type) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  return SSL_client_hello_get0_ext(ssl, type, &data, &size) == 1 ? openssl::ByteView(data, size) : openssl::ByteView();
}

bool keep_sessions_to_name(Connection& connection) {
  SSL* ssl = connection.ssl();
  const HelloState& hello = *connection.hello();
  return openssl::scope_sessions(ssl, hello.name) &&
         openssl::separate_sessions(ssl, SSL_get_verify_mode(ssl), openssl::goes_on_unverified(ssl),
                                    hello.session_policy);
}

int answer_hello(Connection& connection, int* alert) {
  HelloState& hello = *connection.hello();
  // A retry comes back here, and whatever was decided before is not looked at twice.
  const bool second = hello.stage == Stage::decided || (hello.again && hello.stage == Stage::hello);
  if (second && names_another(hello, connection.ssl())) {
    hello.stage = Stage::decided;
    *alert = SSL_AD_ILLEGAL_PARAMETER;
    return SSL_CLIENT_HELLO_ERROR;
  }
  const bool abandoned = connection.suspension() != nullptr && connection.suspension()->abandoned();
  const int result = abandoned ? SSL_AD_INTERNAL_ERROR : run_stages(connection, hello);
  if (result == kStageWaits) return SSL_CLIENT_HELLO_RETRY;
  if (result == 0) return needs_job_now(connection) ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_SUCCESS;
  *alert = result;
  return SSL_CLIENT_HELLO_ERROR;
}

std::string HelloState::refusal_text() const {
  if (refusal == Refusal::changed) {
    return "The client sent another server name than in its first ClientHello" +
           (name.empty() ? std::string() : ", which had '" + name + "'");
  }
  if (name.empty()) return "The client sent a server name that is no name of a host, and unknown ones are refused";
  return "The client asked for the server name '" + name + "', which this server does not have";
}

// Servers alone: a client's handshake has no hello to look at.
void Connection::prepare_hello(const ConnectionOptions& options) {
  constexpr std::uint32_t kAtHello = kAskClientHello | kAskPsk | kAskSession | kAskProtocol | kAskCertificate;
  const bool decides = options.names != nullptr || options.psks != nullptr || !options.alpn.empty();
  if (!server_ || (!decides && (options.asks & kAtHello) == 0)) return;
  alpn_ = options.alpn;
  hello_ = std::make_unique<HelloState>();
  hello_->own.verify_depth = options.verify_depth >= 0;
  hello_->own.ticket_count = options.ticket_count.has_value();
  hello_->own.no_tickets = options.external_sessions && !options.tickets_too;
  hello_->session_policy = options.session_policy;
  if (options.names != nullptr) use_names(options);
}

}  // namespace system_tls::engine
