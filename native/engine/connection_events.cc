// What OpenSSL tells while it works. Everything is recorded here and delivered later, off OpenSSL's stack.
#include <openssl/ssl3.h>
#include <openssl/tls1.h>

#include <utility>

#include "engine/callbacks/certificate.h"
#include "engine/callbacks/hello.h"
#include "engine/callbacks/psk.h"
#include "engine/connection.h"
#include "openssl/context/context.h"

namespace system_tls::engine {

namespace {

// What OpenSSL does for a peer, in units of about a microsecond, apart from the bytes, which the transport bounds.
constexpr std::uint32_t kRecordWork = 1;
constexpr std::uint32_t kHandshakeMessageWork = 8;

}  // namespace

void Connection::on_message(int sent, int version, int content_type, const void* bytes, std::size_t size, SSL*,
                            void* self) {
  auto& connection = *static_cast<Connection*>(self);
  const std::span<const std::uint8_t> message(static_cast<const std::uint8_t*>(bytes), size);
  if (content_type == SSL3_RT_HEADER) {
    if (sent == 0) connection.enc_.in.spend(kRecordWork);
  } else if (content_type == SSL3_RT_HANDSHAKE && !message.empty()) {
    if (sent == 0) connection.enc_.in.spend(kHandshakeMessageWork);
    connection.handshake_message_seen(sent != 0, message);
  } else if (content_type == SSL3_RT_INNER_CONTENT_TYPE && !message.empty()) {
    const bool data = message[0] == SSL3_RT_APPLICATION_DATA;
    if (sent != 0) {
      connection.key_updates_.record_sent(data);
    } else if (data) {
      connection.key_updates_.data_received();
    }
  }
  if ((connection.observe_ & kObserveMessage) != 0) {
    connection.events_.message(sent != 0, version, content_type, message);
  }
  if (connection.trace_) connection.trace_->message(sent, version, content_type, message, connection.ssl());
}

bool Connection::trace() {
  if (!trace_) trace_ = MessageTrace::create();
  return trace_ != nullptr;
}

void Connection::handshake_message_seen(bool sent, std::span<const std::uint8_t> message) {
  ++handshake_messages_;
  negotiated_stale_ |= !sent && message[0] != SSL3_MT_KEY_UPDATE;
  switch (message[0]) {
    case SSL3_MT_HELLO_REQUEST:
      if (sent) renegotiation_.hello_request_sent(dtls());
      break;
    case SSL3_MT_CLIENT_HELLO:
      if (!sent) hello_received(message);
      if (established()) renegotiation_.client_hello(sent, Renegotiation::Clock::now());
      if (renegotiation_.too_many()) enc_.in.stop();
      break;
    case SSL3_MT_CERTIFICATE_REQUEST:
      if (established() && sent) demand_.request_sent();
      break;
    case SSL3_MT_FINISHED:
      renegotiation_.finished(sent);
      if (!sent) demand_.finished_received();
      break;
    case SSL3_MT_KEY_UPDATE:
      // RFC 8446 4.6.3: one byte behind the four of the header, update_requested is 1.
      key_update_seen(sent, message.size() > 4 && message[4] == 1);
      break;
    default:
      break;
  }
}

// Before OpenSSL looks at it: its own callback hides what it does not know.
void Connection::hello_received(std::span<const std::uint8_t> message) {
  if (established() && certificate_) *certificate_ = {};
  if (!hello_) return;
  if (established()) {
    hello_->again = true;
    hello_->stage = HelloState::Stage::hello;
  }
  if (hello_->stage == HelloState::Stage::hello && may_ask(kAskClientHello)) {
    hello_->message.assign(message.begin(), message.end());
  }
}

void Connection::key_update_seen(bool sent, bool requested) {
  events_.key_update(!sent, requested);
  if (sent) {
    key_updates_.sent(requested);
  } else {
    key_updates_.received(requested);
    if (key_updates_.too_many()) enc_.in.stop();
  }
}

void Connection::on_info(const SSL* ssl, int where, int result) {
  Connection* connection = from(ssl);
  if (connection == nullptr) return;
  if ((where & SSL_CB_ALERT) != 0) {
    connection->ending_.alert_seen({result >> 8, result & 0xff, (where & SSL_CB_READ) != 0});
    connection->events_.alert(connection->ending_.last_alert());
  }
  if ((connection->observe_ & kObserveInfo) != 0) {
    connection->events_.info(where, result, SSL_state_string_long(ssl));
  }
}

void Connection::observe(std::uint32_t mask) {
  observe_ = mask;
  if ((mask & kObserveKeylog) != 0) openssl::start_keylog(ssl_.get());
}

void Connection::on_keylog(const char* line) {
  if ((observe_ & kObserveKeylog) != 0) events_.keylog(line);
}

void Connection::on_session(SSL_SESSION* session) {
  // It would be resumed without the key, and without a certificate.
  if (psk_ && psk_used(ssl_.get())) return;
  // A copy: freeing the connection without a shutdown makes the original unresumable.
  if ((observe_ & kObserveSession) != 0 || external_sessions_)
    events_.session(openssl::SessionPtr(SSL_SESSION_dup(session)));
}

}  // namespace system_tls::engine
