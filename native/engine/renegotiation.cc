// Renegotiation (TLS 1.2) and the request for a client's certificate: when they are really complete.
#include <openssl/err.h>

#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;

// A new handshake is under way, or about to be: from here to its end only SSL_read may be called. Driven by
// SSL_do_handshake or SSL_write, one application record that crosses it is a fatal "unexpected record".
bool Connection::renegotiating() const {
  return established_ && !tls13() && (renegotiation_driven_ || SSL_in_init(ssl_.get()) != 0);
}

void Connection::begin_renegotiation() {
  renegotiation_scheduled_ = false;
  renegotiation_driven_ = true;
  client_hello_seen_ = false;
  hello_request_sent_ = false;
  finished_sent_ = false;
  finished_received_ = false;
  read_kick_ = true;
}

void Connection::client_hello_seen(bool sent) {
  client_hello_seen_ = true;
  finished_sent_ = false;
  finished_received_ = false;
  if (sent) {
    renegotiation_by_peer_ = !renegotiation_driven_;
    return;
  }
  renegotiation_by_peer_ = requests_open_ == 0;
  if (!renegotiation_by_peer_) {
    --requests_open_;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (peer_renegotiations_ == 0 || now - window_start_ > limits_.renegotiation_window) {
    window_start_ = now;
    peer_renegotiations_ = 0;
  }
  if (++peer_renegotiations_ > limits_.renegotiations) {
    too_many_renegotiations_ = true;
    enc_.in.stop();
  }
}

// OpenSSL's completion signals lie: on a server SSL_do_handshake returns 1 as soon as the HelloRequest is sent,
// HANDSHAKE_DONE fires on refused handshakes too, and SSL_total_renegotiations counts starts.
FailurePtr Connection::check_renegotiation() {
  if (too_many_renegotiations_) {
    return openssl::named_failure(
        "ERR_TLS_TOO_MANY_RENEGOTIATIONS",
        "The client renegotiated more often than clientRenegotiation allows: the connection is closed");
  }
  if (renegotiation_driven_ && server_ && hello_request_sent_) renegotiation_driven_ = false;
  if (tls13()) {
    if (certificate_request_sent_ && finished_received_ && SSL_in_init(ssl_.get()) == 0) {
      settle_handshake_waits(false);
    }
    return nullptr;
  }
  const bool complete = client_hello_seen_ && finished_sent_ && finished_received_ && SSL_in_init(ssl_.get()) == 0 &&
                        SSL_renegotiate_pending(ssl_.get()) == 0;
  if (complete) renegotiation_complete();
  return nullptr;
}

void Connection::renegotiation_complete() {
  client_hello_seen_ = false;
  renegotiation_driven_ = false;
  ++renegotiations_;
  note_negotiated();
  const bool resumed = SSL_session_reused(ssl_.get()) != 0;
  events_.renegotiated(resumed, renegotiation_by_peer_);
  settle_handshake_waits(resumed);
}

// Of what waits for the peer, that which a handshake after the first one answers; there are no renegotiations in
// TLS 1.3.
void Connection::settle_handshake_waits(bool resumed) {
  bool shown = false;
  for (const PeerWait& wait : std::exchange(peer_waits_, {})) {
    if (wait.kind == PeerWait::Kind::renegotiation) {
      events_.operation_done(wait.id, resumed ? 1 : 0);
    } else if (wait.kind == PeerWait::Kind::client_certificate) {
      shown |= settle_certificate_wait(wait, resumed);
    } else {
      peer_waits_.push_back(wait);
    }
  }
  demand_answered(shown);
}

// Success of the handshake is not success of the request: a resumed one carries no certificate and says "verified" all
// the same. True: there is one.
bool Connection::settle_certificate_wait(const PeerWait& wait, bool resumed) {
  const bool present = SSL_get0_peer_certificate(ssl_.get()) != nullptr;
  if (!resumed && (present || !wait.required)) {
    events_.operation_done(wait.id, present ? 1 : 0);
    return present;
  }
  events_.operation_failed(wait.id,
                           openssl::named_failure("ERR_TLS_NO_PEER_CERTIFICATE",
                                                  resumed ? "The client resumed its session instead of authenticating"
                                                          : "The client sent no certificate, and one is required"));
  return false;
}

// A null callback leaves the one there is (SSL_set_verify(3)).
void Connection::set_demand(int mode) {
  demand_->mode = mode;
  SSL_set_verify(ssl_.get(), mode, nullptr);
}

// As those want it who wait for a certificate, or are about to; SSL_VERIFY_NONE if nobody does. Never with
// SSL_VERIFY_CLIENT_ONCE, with which OpenSSL would not ask again.
int Connection::wanted_mode() {
  int mode = SSL_VERIFY_NONE;
  const auto want = [&mode](bool required) {
    mode |= SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
  };
  for (const PeerWait& wait : peer_waits_) {
    if (wait.kind == PeerWait::Kind::client_certificate) want(wait.required);
  }
  const Operation* next = operations_.empty() ? nullptr : &operations_.front();
  if (next != nullptr && next->kind == Operation::Kind::client_certificate &&
      next->phase == Operation::Phase::running) {
    want(next->flag);
  }
  return mode;
}

void Connection::demand_certificate(bool required) {
  const int mode = SSL_get_verify_mode(ssl_.get());
  // Another mode than was set here is one that the application has set meanwhile.
  if (!demand_ || demand_->mode != mode) demand_ = Demand{mode, mode};
  set_demand(wanted_mode() | SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0));
}

// Somebody waits no longer. A HelloRequest leads to a handshake all the same, which asks for nothing then. A
// CertificateRequest is answered all the same: by a certificate, which is held to the same rules as any other, or by
// none, which only the connection's own mode may refuse.
void Connection::reconsider_demand() {
  if (!demand_) return;
  if (SSL_get_verify_mode(ssl_.get()) != demand_->mode) {
    demand_.reset();
  } else if (const int wanted = wanted_mode(); wanted != SSL_VERIFY_NONE) {
    set_demand(wanted);
  } else if (certificate_request_sent_) {
    set_demand(SSL_VERIFY_PEER | (demand_->own_mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT));
  } else {
    set_demand(demand_->own_mode);
    demand_.reset();
  }
}

// Who has shown a certificate is asked for it again in a renegotiation, or it would be gone; unless once is enough.
void Connection::demand_answered(bool shown) {
  certificate_request_sent_ = false;
  if (!demand_) return;
  if (shown && SSL_get_verify_mode(ssl_.get()) == demand_->mode) {
    set_demand(demand_->mode | (demand_->own_mode & (SSL_VERIFY_CLIENT_ONCE | SSL_VERIFY_POST_HANDSHAKE)));
    demand_.reset();
  }
  reconsider_demand();
}

}  // namespace system_tls::engine
