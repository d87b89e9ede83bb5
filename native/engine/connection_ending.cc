// How a connection ends. Its two halves end by themselves, and what was received is delivered before a failure is told.
#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;

void Connection::end_sending(const FailurePtr& failure) {
  if (dead()) return;
  ending_.end_sending(failure);
  enc_.muted = true;
}

// Whoever wrote learns it from the operation; whoever reads learns first what has arrived, and there the reason may be
// found: an alert, a close_notify.
void Connection::fail_sending(const FailurePtr& failure) {
  if (dead()) return;
  if (ending_.break_output(failure, enc_.out.size(), close_notify_sent())) events_.sending_failed(failure);
  enc_.drop_output();
  enc_.muted = true;
}

// Of an operation whose turn it is while nothing can be sent.
Connection::Step Connection::run_unsendable(const Operation& operation) {
  if (operation.kind != Operation::Kind::shutdown || ending_.output_lost()) return fail_operation(send_failure());
  if (!enc_.out.empty()) return Step::blocked;
  if (!operation.flag || peer_closed()) return done();
  wait_for_peer({operation.id, PeerWait::Kind::close_notify, false});
  operations_.leave();
  return Step::progress;
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
  operations_.fail_all(failure());
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
Connection::Step Connection::step_dead() {
  reader_.unblock();
  if (reader_.ahead_empty()) tell_failure();
  return reader_.ahead_wanted() ? serve_read_ahead() : Step::blocked;
}

}  // namespace system_tls::engine
