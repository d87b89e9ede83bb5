// Dynamic record sizing: a receiver can decrypt nothing of a record before it has all of it, so while a connection's
// window is small, right after it was made or after a pause, each record fits into one TCP segment.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

namespace system_tls::engine {

class RecordSizing {
 public:
  using Clock = std::chrono::steady_clock;

  // At the beginning of a write.
  void begin(Clock::time_point now) {
    if (now - last_write_ >= kIdle) written_ = 0;
    last_write_ = now;
  }
  // Clear bytes that the next record may have.
  std::size_t most() const {
    if (written_ < kUntilMiddle) return kSegment;
    return written_ < kUntilFull ? kSegments : std::numeric_limits<std::size_t>::max();
  }
  void wrote(std::size_t clear) { written_ += std::min(clear, kUntilFull); }

 private:
  // With any cipher's overhead, of which TLS 1.2's CBC has the most (85 bytes), it fits into the 1,428 that are left of
  // an Ethernet frame by IPv6 and TCP with timestamps.
  static constexpr std::size_t kSegment = 1300;
  static constexpr std::size_t kSegments = 3 * kSegment;
  static constexpr std::size_t kUntilMiddle = 64 * 1024;
  static constexpr std::size_t kUntilFull = 128 * 1024;
  // TCP begins anew with a small window after about as long (RFC 5681 4.1).
  static constexpr std::chrono::seconds kIdle{1};

  Clock::time_point last_write_{};
  std::size_t written_ = 0;
};

}  // namespace system_tls::engine
