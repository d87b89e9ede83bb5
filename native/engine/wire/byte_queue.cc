#include "engine/wire/byte_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace system_tls::engine {

std::unique_ptr<Chunk> ChunkPool::take() {
  // Not make_unique, which would clear 66 KiB that are about to be overwritten.
  if (!free_) return std::make_unique_for_overwrite<Chunk>();
  std::unique_ptr<Chunk> chunk = std::move(free_);
  free_ = std::move(chunk->next);
  --kept_;
  chunk->begin = chunk->end = 0;
  return chunk;
}

void ChunkPool::give(std::unique_ptr<Chunk> chunk) {
  if (kept_ == kKept) return;
  chunk->next = std::move(free_);
  free_ = std::move(chunk);
  ++kept_;
}

Chunk& ByteQueue::writable() {
  if (last_ != nullptr && last_->end != kChunkSize) return *last_;
  std::unique_ptr<Chunk> chunk = pool_->take();
  Chunk* added = chunk.get();
  if (last_ == nullptr) {
    first_ = std::move(chunk);
  } else {
    last_->next = std::move(chunk);
  }
  last_ = added;
  return *added;
}

void ByteQueue::append(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    std::span<std::uint8_t> to = room();
    const std::size_t count = std::min(to.size(), bytes.size());
    std::memcpy(to.data(), bytes.data(), count);
    commit(count);
    bytes = bytes.subspan(count);
  }
}

std::span<std::uint8_t> ByteQueue::room() { return writable().room(); }

void ByteQueue::commit(std::size_t count) {
  last_->end += count;
  size_ += count;
  // room() may have taken a chunk for bytes that never came.
  if (size_ == 0) clear();
}

std::span<const std::uint8_t> ByteQueue::front() const {
  return first_ ? first_->filled() : std::span<const std::uint8_t>();
}

void ByteQueue::drop_first() {
  std::unique_ptr<Chunk> dropped = std::move(first_);
  first_ = std::move(dropped->next);
  if (!first_) last_ = nullptr;
  pool_->give(std::move(dropped));
}

void ByteQueue::consume(std::size_t count) {
  size_ -= count;
  while (count > 0 || (first_ && first_->begin == first_->end)) {
    const std::size_t here = std::min(count, first_->end - first_->begin);
    first_->begin += here;
    count -= here;
    if (first_->begin == first_->end) drop_first();
  }
}

std::size_t ByteQueue::take(std::span<std::uint8_t> to) {
  std::size_t taken = 0;
  while (taken < to.size() && !empty()) {
    const std::span<const std::uint8_t> from = front();
    const std::size_t count = std::min(from.size(), to.size() - taken);
    std::memcpy(to.data() + taken, from.data(), count);
    consume(count);
    taken += count;
  }
  return taken;
}

void ByteQueue::clear() {
  while (first_) drop_first();
  size_ = 0;
}

}  // namespace system_tls::engine
