#include "io/transports/datagram_bio_transport.h"

#include <algorithm>
#include <array>

namespace system_tls::io {

namespace {
constexpr std::size_t kPrefix = 2;
}

Moved DatagramBioTransport::send(engine::ByteQueue& out) {
  Moved moved;
  for (std::size_t size = datagrams_->next(); size != 0; size = datagrams_->next()) {
    if (write_->ended() || write_->unread()) {
      moved.failure = openssl::system_failure(EPIPE, "write");
      break;
    }
    if (write_->room() < kPrefix + size) break;
    const std::array<std::uint8_t, kPrefix> prefix = {static_cast<std::uint8_t>(size >> 8),
                                                      static_cast<std::uint8_t>(size & 0xff)};
    write_->write(prefix);
    for (std::size_t left = size; left != 0;) {
      const std::span<const std::uint8_t> piece = out.front();
      const std::size_t count = std::min(piece.size(), left);
      write_->write(piece.first(count));
      out.consume(count);
      left -= count;
    }
    datagrams_->sent();
    moved.bytes += size;
  }
  return moved;
}

// As recv(2) does with what its caller has no room for: no record is that long.
void DatagramBioTransport::discard(std::size_t count) {
  std::array<std::uint8_t, 1024> nowhere{};
  while (count != 0) count -= read_->read(std::span(nowhere).first(std::min(nowhere.size(), count)));
}

Moved DatagramBioTransport::receive(std::span<std::uint8_t> to) {
  Moved moved;
  while (moved.bytes == 0) {
    if (expected_ == 0) {
      std::array<std::uint8_t, kPrefix> prefix{};
      if (read_->pending() < kPrefix) break;
      read_->read(prefix);
      expected_ = static_cast<std::size_t>(prefix[0]) << 8 | prefix[1];
      if (expected_ == 0) continue;  // an empty one says nothing
    }
    if (read_->pending() < expected_) break;
    moved.bytes = read_->read(to.first(std::min(to.size(), expected_)));
    discard(expected_ - moved.bytes);
    expected_ = 0;
  }
  moved.eof = moved.bytes == 0 && read_->at_end();
  return moved;
}

}  // namespace system_tls::io
