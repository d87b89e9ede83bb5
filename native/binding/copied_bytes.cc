#include "binding/copied_bytes.h"

#include <cstring>
#include <new>
#include <utility>

namespace system_tls::binding {

BlockPool::Block BlockPool::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  // Not make_unique, which would clear what is about to be overwritten.
  if (free_.empty()) return Block(new (std::nothrow) std::uint8_t[kBlock]);
  Block block = std::move(free_.back());
  free_.pop_back();
  return block;
}

void BlockPool::give(Block block) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (free_.size() < kKept) free_.push_back(std::move(block));
}

std::unique_ptr<CopiedBytes> CopiedBytes::of(std::span<const std::uint8_t> bytes, std::shared_ptr<BlockPool> pool,
                                             std::shared_ptr<WriteAhead> ahead) {
  BlockPool::Block block =
      pooled(bytes.size()) ? pool->take() : BlockPool::Block(new (std::nothrow) std::uint8_t[bytes.size()]);
  if (!block) return nullptr;
  return std::unique_ptr<CopiedBytes>(new CopiedBytes(bytes, std::move(block), std::move(pool), std::move(ahead)));
}

CopiedBytes::CopiedBytes(std::span<const std::uint8_t> bytes, BlockPool::Block block, std::shared_ptr<BlockPool> pool,
                         std::shared_ptr<WriteAhead> ahead)
    : size_(bytes.size()), pool_(std::move(pool)), ahead_(std::move(ahead)), block_(std::move(block)) {
  if (size_ != 0) std::memcpy(block_.get(), bytes.data(), size_);
  ahead_->add(size_);
  pool_->add(size_);
}

CopiedBytes::~CopiedBytes() {
  ahead_->remove(size_);
  pool_->remove(size_);
  if (pooled(size_)) pool_->give(std::move(block_));
}

}  // namespace system_tls::binding
