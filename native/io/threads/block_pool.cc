#include "io/threads/block_pool.h"

#include <algorithm>
#include <new>
#include <utility>

namespace system_tls::io {

BlockPool::Block BlockPool::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  Block block;
  if (free_.empty()) {
    // Not make_unique, which would clear what is about to be overwritten.
    block.reset(new (std::nothrow) std::uint8_t[kBlock]);
  } else {
    block = std::move(free_.back());
    free_.pop_back();
  }
  if (block) ++taken_;
  return block;
}

void BlockPool::give(Block block) {
  // Freed without the lock.
  std::vector<Block> surplus;
  const std::lock_guard<std::mutex> lock(mutex_);
  --taken_;
  free_.push_back(std::move(block));
  for (const std::size_t most = std::max(kKept, kKeptForEach * taken_); free_.size() > most; free_.pop_back()) {
    surplus.push_back(std::move(free_.back()));
  }
}

std::size_t BlockPool::free() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return free_.size();
}

}  // namespace system_tls::io
