// Renegotiation (TLS 1.2) and the request for a client's certificate: what waits for them, and is served.
#include <openssl/err.h>

#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;

// A new handshake is under way, or about to be: from here to its end only SSL_read may be called. Driven by
// SSL_do_handshake or SSL_write, one application record that crosses it is a fatal "unexpected record".
bool Connection::renegotiating() const {
  return established() && !tls13() && (renegotiation_.driven() || SSL_in_init(ssl_.get()) != 0);
}

void Connection::begin_renegotiation() {
  renegotiation_.begin();
  reader_.want_call(true);
}

FailurePtr Connection::check_renegotiation() {
  if (renegotiation_.too_many()) {
    return openssl::named_failure(
        "ERR_TLS_TOO_MANY_RENEGOTIATIONS",
        "The client renegotiated more often than clientRenegotiation allows: the connection is closed");
  }
  if (tls13()) {
    if (demand_.request_answered() && SSL_in_init(ssl_.get()) == 0) settle_handshake_waits(false);
  } else if (renegotiation_.seen_whole() && SSL_in_init(ssl_.get()) == 0 && SSL_renegotiate_pending(ssl_.get()) == 0) {
    renegotiation_complete();
  }
  return nullptr;
}

void Connection::renegotiation_complete() {
  renegotiation_.completed();
  note_negotiated();
  const bool resumed = SSL_session_reused(ssl_.get()) != 0;
  events_.renegotiated(resumed, renegotiation_.by_peer());
  settle_handshake_waits(resumed);
}

// Of what waits for the peer, that which a handshake after the first one answers; there are no renegotiations in
// TLS 1.3.
void Connection::settle_handshake_waits(bool resumed) {
  bool shown = false;
  operations_.end_waits([&](const PeerWait& wait) {
    if (wait.kind == PeerWait::Kind::renegotiation) {
      events_.operation_done(wait.id, resumed ? 1 : 0);
    } else if (wait.kind == PeerWait::Kind::client_certificate) {
      shown |= settle_certificate_wait(wait, resumed);
    } else {
      return false;
    }
    return true;
  });
  set_verify_mode(demand_.conclude(SSL_get_verify_mode(ssl_.get()), wanted_mode(), shown));
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
void Connection::set_verify_mode(int mode) { SSL_set_verify(ssl_.get(), mode, nullptr); }

// Of those who wait for a certificate, or are about to.
int Connection::wanted_mode() {
  int mode = SSL_VERIFY_NONE;
  for (const PeerWait& wait : operations_.waits()) {
    if (wait.kind == PeerWait::Kind::client_certificate) mode |= CertificateDemand::mode_for(wait.required);
  }
  const Operation* next = operations_.first();
  if (next != nullptr && next->kind == Operation::Kind::client_certificate &&
      next->stage == Operation::Stage::running) {
    mode |= CertificateDemand::mode_for(next->flag);
  }
  return mode;
}

void Connection::demand_certificate(bool required) {
  const int wanted = wanted_mode() | CertificateDemand::mode_for(required);
  set_verify_mode(demand_.demand(SSL_get_verify_mode(ssl_.get()), wanted));
}

void Connection::reconsider_demand() {
  set_verify_mode(demand_.reconsider(SSL_get_verify_mode(ssl_.get()), wanted_mode()));
}

}  // namespace system_tls::engine
