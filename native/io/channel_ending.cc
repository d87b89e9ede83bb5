// How a channel ends: what was received when nothing can be sent any more, the last words, and the reactor's own end.
#include <chrono>
#include <utility>

#include "io/channel.h"

namespace system_tls::io {

using openssl::FailurePtr;

namespace {
// A peer that has been told why reads it at once, or is not interested.
constexpr std::chrono::milliseconds kLingerAfterAlert{1000};
// As long as asynchronous disposal waits for the transport.
constexpr std::chrono::milliseconds kLingerAfterClose{2000};
}  // namespace

// May receive be called without having been told that there is something? Also where the sending half has broken: poll
// may have nothing to tell of a socket that has ended.
bool Channel::receives_at_once() const {
  if (!transport_ || !connection_->wants_input() || connection_->enc().in.size() != 0) return false;
  return transport_->always_readable() || connection_->output_broken();
}

// False: there was nothing.
bool Channel::receive_once() {
  engine::EncSide& enc = connection_->enc();
  const std::span<std::uint8_t> buffer = reactor_->scratch();
  const bool ended = enc.in.eof_seen();
  if (enc.let_read(buffer.size())) {
    note_moved();
    connection_->advance();
    return !connection_->dead() && enc.ktls->allowance() != buffer.size() && enc.ktls->readable();
  }
  Moved moved = transport_->receive(buffer);
  const bool ends = (moved.eof || moved.failure) && !ended;
  if (moved.bytes == 0 && !ends) return false;
  if (moved.bytes != 0) note_moved();
  enc.in.lend(buffer.first(moved.bytes));
  // Whether or not an end may stand for close_notify, this one does not.
  if (moved.broken) enc.in.hide_end(false);
  if (ends) connection_->end_input(std::move(moved.failure));
  connection_->advance();
  enc.in.reclaim();
  return true;
}

// What needs both halves has read by now what there was, perhaps an alert that gives a better reason.
void Channel::end_unsendable() {
  if (!connection_->output_broken()) return;
  if (!connection_->established() || connection_->dtls()) connection_->fail(connection_->send_failure());
}

// A fatal error closes the connection, with the alert that says why ahead of the end.
void Channel::finish_dead() {
  retransmission_.reset();
  if (!transport_) return;
  engine::ByteQueue& out = connection_->enc().out;
  if (!out.empty()) transport_->send(out);
  const bool heard = !connection_->enc().in.eof_seen() && !connection_->output_broken();
  if (heard && connection_->alert_sent()) transport_->linger(*reactor_, out, {kLingerAfterAlert, user_ref_});
  transport_.reset();
  connection_->enc().drop_output();
}

void Channel::close() {
  // SSL_free before the transport: it may still want to say something, which goes nowhere then.
  if (transport_ && connection_ && !connection_->dead()) {
    tickets_due_ = true;
    flush();
    // After an orderly end, what the peer has not read yet must not be lost to a reset.
    const engine::ByteQueue& out = connection_->enc().out;
    const bool orderly = connection_->close_notify_sent() && out.empty() && !connection_->output_broken();
    if (orderly && !connection_->input_over()) transport_->linger(*reactor_, out, {kLingerAfterClose, user_ref_});
  }
  if (write_ahead_) write_ahead_->set_open(false);
  note_activity(false);
  retransmission_.reset();
  connection_.reset();
  note_job();
  transport_.reset();
  travelling_fd_.reset();
  // Whoever drops the last reference may do so on another thread.
  move_out();
}

// Nobody will read here any more, whatever was read ahead.
void Channel::evict(const FailurePtr& why) {
  if (!connection_) return;
  connection_->abort(why);
  settle();
}

}  // namespace system_tls::io
