// The way in: from the transport to OpenSSL, through a buffer or straight.
#include <utility>

#include "io/channel.h"

namespace system_tls::io {

using openssl::FailurePtr;

namespace {

// What came at once, from where on the next is drawn record by record, if the records are large too.
constexpr std::size_t kBulk = 32 * 1024;
// Of which an iteration takes so much: half a millisecond's work again. The more, the fewer visits to epoll and to
// JavaScript; nothing has to hold it all, as the buffer must what it receives.
constexpr std::size_t kDrawn = 512 * 1024;

}  // namespace

void Channel::transport_ready(bool input, bool output) {
  const std::shared_ptr<Channel> self = shared_from_this();
  const Turn turn(*reactor_);
  if (output) pump();
  if (input && transport_) receive_input();
}

void Channel::transport_failed(FailurePtr failure) {
  const std::shared_ptr<Channel> self = shared_from_this();
  const Turn turn(*reactor_);
  connection_->fail(std::move(failure));
  settle();
}

void Channel::receive_input() {
  const std::span<std::uint8_t> buffer = reactor_->receive_buffer();
  if (connection_->enc().let_read(buffer.size())) {
    pump_input({}, false);
    return;
  }
  if (bulk_ && transport_->source() != nullptr) {
    draw_input();
    return;
  }
  const Moved moved = transport_->receive(buffer);
  if (moved.failure) {
    connection_->fail(moved.failure);
    settle();
  } else if (moved.bytes != 0 || moved.eof) {
    pump_input(buffer.first(moved.bytes), moved.eof);
  }
}

void Channel::pump_input(std::span<const std::uint8_t> enc, bool eof) {
  engine::EncIn* in = &connection_->enc().in;
  if (!enc.empty()) in->lend(enc);
  if (eof) in->set_eof();
  pump();
  deliver_meanwhile();
  if (!connection_) return;
  in->reclaim();
  const std::size_t received = enc.empty() ? in->drawn() : enc.size();
  bulk_ = received >= kBulk && in->largest() >= kBulk / 4;
  settle();
}

// While the bytes are lent, or may be drawn: that saves copying the rest of them, and another visit to epoll.
void Channel::deliver_meanwhile() {
  while (connection_ && !reactor_->delivering() && (connection_->blocked_on_delivery() || more_may_be_read())) {
    reactor_->deliver();
    if (connection_ && connection_->blocked_on_delivery()) break;
  }
}

// There is more input, and nobody reads: but whoever hears how the last read ended is likely to read again, if hearing
// it is not another thread's business.
bool Channel::more_may_be_read() const {
  const bool read_ended = last_read_batch_ == reactor_->recording_number();
  return read_ended && connection_->enc().in.readable() && !connection_->wants_input() && reactor_->handles_events();
}

// The same, without a buffer between the socket and OpenSSL.
void Channel::draw_input() {
  connection_->enc().in.draw_from(*transport_->source(), kDrawn);
  pump_input({}, false);
  if (!connection_) return;
  if (FailurePtr failure = connection_->enc().in.take_failure()) {
    connection_->fail(std::move(failure));
    settle();
  }
}

}  // namespace system_tls::io
