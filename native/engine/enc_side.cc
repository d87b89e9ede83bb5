#include "engine/enc_side.h"

#include <algorithm>
#include <cstring>

namespace system_tls::engine {

void EncIn::reclaim() {
  kept_.append(lent_);
  lent_ = {};
}

std::size_t EncIn::read(std::span<std::uint8_t> to) {
  std::size_t taken = kept_.take(to);
  const std::size_t count = std::min(to.size() - taken, lent_.size());
  if (count != 0) {
    std::memcpy(to.data() + taken, lent_.data(), count);
    lent_ = lent_.subspan(count);
  }
  return taken + count;
}

}  // namespace system_tls::engine
