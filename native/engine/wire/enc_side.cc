#include "engine/wire/enc_side.h"

#include <algorithm>
#include <cstring>

namespace system_tls::engine {

namespace {
// Smaller records are better received many at a time.
constexpr std::size_t kWorthDrawing = 4 * 1024;
}  // namespace

void EncIn::reclaim() {
  source_ = nullptr;
  kept_.append(lent_);
  lent_ = {};
}

void EncIn::draw_from(EncSource& source, std::size_t most) {
  source_ = &source;
  most_ = most;
  drawn_ = largest_ = 0;
  at_header_ = false;
}

std::size_t EncIn::read(std::span<std::uint8_t> to) {
  const std::size_t count = fill(to);
  if (count != 0) in_part_ = count < to.size();
  return count;
}

std::size_t EncIn::fill(std::span<std::uint8_t> to) {
  largest_ = std::max(largest_, to.size());
  const bool body = std::exchange(at_header_, to.size() <= kHeader);
  if (size() == 0) {
    if (body && to.size() < kWorthDrawing) source_ = nullptr;
    return source_ == nullptr ? 0 : draw(to);
  }
  std::size_t taken = kept_.take(to);
  const std::size_t count = std::min(to.size() - taken, lent_.size());
  if (count != 0) {
    std::memcpy(to.data() + taken, lent_.data(), count);
    lent_ = lent_.subspan(count);
  }
  return taken + count;
}

// With the record comes the header of the next one, so that there is one system call for each.
std::size_t EncIn::draw(std::span<std::uint8_t> to) {
  std::span<std::uint8_t> ahead(next_header_);
  // Behind the last one nothing may be left that nobody asks for.
  if (to.size() <= kHeader || drawn_ + to.size() >= most_) ahead = {};
  Moved drawn = source_->draw(to, ahead);
  drawn_ += drawn.bytes;
  if (drawn.bytes < to.size() + ahead.size() || drawn_ >= most_) source_ = nullptr;
  if (drawn.eof || drawn.failure) set_eof(std::move(drawn.failure));
  const std::size_t own = std::min(drawn.bytes, to.size());
  lent_ = ahead.first(drawn.bytes - own);
  return own;
}

}  // namespace system_tls::engine
