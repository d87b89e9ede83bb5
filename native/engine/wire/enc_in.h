// Ciphertext that arrived and OpenSSL has not taken yet.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "engine/wire/byte_queue.h"
#include "engine/wire/enc_source.h"

namespace system_tls::engine {

class EncIn {
 public:
  explicit EncIn(ChunkPool& pool) : kept_(pool) {}

  void use_pool(ChunkPool& pool) { kept_.use_pool(pool); }

  // Bytes that the owner keeps valid until reclaim(); what OpenSSL has not taken by then is copied.
  void lend(std::span<const std::uint8_t> bytes) {
    lent_ = bytes;
    largest_ = 0;
  }
  void reclaim();
  // Instead of lending: until reclaim(), OpenSSL may take up to `most` bytes from `source`.
  void draw_from(EncSource& source, std::size_t most);
  std::size_t drawn() const { return drawn_; }
  // The most that OpenSSL asked for at a time since the last lend() or draw_from(): the size of the records.
  std::size_t largest() const { return largest_; }
  std::size_t size() const { return kept_.size() + lent_.size(); }
  std::size_t read(std::span<std::uint8_t> to);
  // The rest of a datagram that was too long for its reader.
  void discard() {
    kept_.clear();
    lent_ = {};
  }

  // Nothing more comes. `failure`: why, if the transport broke; null: it ended.
  void set_eof(openssl::FailurePtr failure = nullptr) {
    eof_ = true;
    failure_ = std::move(failure);
  }
  // Only what is behind the last byte counts as the end.
  bool at_eof() const { return eof_ && size() == 0; }
  bool eof_seen() const { return eof_; }
  const openssl::FailurePtr& failure() const { return failure_; }

  // OpenSSL is not told of an end that comes between two records, and the owner looks for it.
  void hide_end(bool on) { hides_end_ = on; }
  // `asked`: by OpenSSL, at the end, which is none where the transport broke. Who asks for a whole header, and not for
  // the rest of something, has read the record before to its last byte.
  bool end_is_hidden(std::size_t asked) {
    if (!hides_end_ || failure_ || asked != kHeader || in_part_) return false;
    ended_between_records_ = true;
    return true;
  }
  bool ended_between_records() const { return ended_between_records_; }

  static constexpr std::size_t kHeader = 5;  // of a record: RFC 8446 5.1

  // The peer broke a limit inside one SSL_read: OpenSSL gets nothing more, so that the call returns and the limit is
  // enforced.
  void stop() { stopped_ = true; }
  bool stopped() const { return stopped_; }

  // Units of work that OpenSSL may still do in this turn of the loop; then it gets nothing more until the next
  // allow(). Without one there is no limit.
  void allow(std::uint32_t work) { work_ = work; }
  void spend(std::uint32_t work) { work_ -= std::min(work, work_); }
  bool paused() const { return work_ == 0; }
  // Whether read() may have something. Without a source it has.
  bool readable() const { return !stopped_ && !paused() && (size() != 0 || source_ != nullptr); }

 private:
  std::size_t fill(std::span<std::uint8_t> to);
  std::size_t draw(std::span<std::uint8_t> to);

  ByteQueue kept_;
  std::span<const std::uint8_t> lent_;
  EncSource* source_ = nullptr;
  std::size_t most_ = 0;
  std::size_t drawn_ = 0;
  std::size_t largest_ = 0;
  std::array<std::uint8_t, kHeader> next_header_{};
  bool at_header_ = false;
  bool in_part_ = false;  // the last read that gave something gave less than was asked for
  openssl::FailurePtr failure_;
  bool eof_ = false;
  bool hides_end_ = false;
  bool ended_between_records_ = false;
  bool stopped_ = false;
  std::uint32_t work_ = std::numeric_limits<std::uint32_t>::max();
};

}  // namespace system_tls::engine
