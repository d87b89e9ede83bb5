// How a connection ends. Its two halves end by themselves, and what was received is delivered before a failure is told.
#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

using openssl::FailurePtr;

// Whoever wrote learns it from the operation; whoever reads learns first what has arrived, and there the reason may be
// found: an alert, a close_notify.
void Connection::fail_sending(const FailurePtr& failure) {
  if (dead()) return;
  if (ending_.break_output(failure, enc_.out.size(), close_notify_sent())) events_.sending_failed(failure);
  enc_.drop_output();
  enc_.muted = true;
}

// A quiet shutdown, or the application, may have set what otherwise only the peer's close_notify does: SSL_read will
// find nothing any more.
void Connection::heed_shutdown_state() {
  if (!peer_closed() && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) note_peer_closed();
}

void Connection::note_peer_closed() {
  phase_ = Phase::peer_closed;
  queue_.peer_closed(peer_has_closed());
  // In the middle of a renegotiation, which will not end, nothing can be written. What OpenSSL has made goes out.
  if (!renegotiating() || dead()) return;
  ending_.end_sending(peer_has_closed());
  enc_.muted = true;
}

// A reset that answers what we sent is told to the sender first, and as a plain end to the reader. One that answers our
// tickets concerns nobody.
void Connection::end_input(FailurePtr failure) {
  if (dtls_ && failure) {
    fail(std::move(failure));
    return;
  }
  if (!failure && ending_.output_lost()) failure = send_failure();
  enc_.in.set_eof(std::move(failure));
}

void Connection::fail(FailurePtr why) {
  if (dead()) return;
  abandon_question();
  ending_.die(std::move(why));
  // What the peer showed was found wrong, perhaps.
  note_negotiated();
  queue_.fail_all(failure());
  if (reader_.ahead_empty()) tell_failure();
}

void Connection::abort(FailurePtr failure) {
  reader_.drop_ahead();
  if (dead()) {
    tell_failure();
  } else {
    fail(std::move(failure));
  }
}

void Connection::tell_failure() {
  if (!ending_.tell()) return;
  reader_.fail_all(failure());
  events_.failed(failure());
}

// OpenSSL is called no more; what was read ahead is still there for whoever reads.
Step Connection::step_dead() {
  reader_.unblock();
  if (reader_.ahead_empty()) tell_failure();
  return reader_.ahead_wanted() ? serve_read_ahead() : Step::blocked;
}

}  // namespace system_tls::engine
