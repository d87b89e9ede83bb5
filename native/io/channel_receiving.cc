// The way in: from the transport to OpenSSL, through a buffer or straight.
#include <utility>

#include "io/channel.h"

namespace system_tls::io {

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

void Channel::receive_input() {
  const std::span<std::uint8_t> buffer = reactor_->receive_buffer();
  if (connection_->enc().let_read(buffer.size())) {
    note_moved();
    pump_input({});
    return;
  }
  if (worth_drawing()) {
    draw_input();
    return;
  }
  Moved moved = transport_->receive(buffer);
  if (moved.eof || moved.failure) connection_->end_input(std::move(moved.failure));
  if (moved.bytes != 0 || connection_->enc().in.eof_seen()) pump_input(buffer.first(moved.bytes));
}

void Channel::pump_input(std::span<const std::uint8_t> enc) {
  engine::EncIn* in = &connection_->enc().in;
  if (!enc.empty()) in->lend(enc);
  pump();
  deliver_meanwhile();
  if (!connection_) return;
  in->reclaim();
  const std::size_t received = enc.empty() ? in->drawn() : enc.size();
  if (received != 0) note_moved();
  reactor_->note_input(this, received >= kBulk && in->largest() >= kBulk / 4);
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

// Of one connection alone, and where a batch is worth filling because another thread handles it: decision 003.
bool Channel::worth_drawing() const {
  return reactor_->last_in_bulk(this) && !reactor_->handles_events() && transport_->source() != nullptr;
}

// The same, without a buffer between the socket and OpenSSL.
void Channel::draw_input() {
  connection_->enc().in.draw_from(*transport_->source(), kDrawn);
  pump_input({});
}

}  // namespace system_tls::io
