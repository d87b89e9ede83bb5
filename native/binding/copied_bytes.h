// What is written to a connection on another thread: a copy, since JavaScript may change or detach its own memory at
// any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "engine/clear_memory.h"

namespace system_tls::binding {

// Memory for copies, warm: taken by the environment's thread, given back by the I/O thread.
class BlockPool {
 public:
  static constexpr std::size_t kBlock = 64 * 1024;
  using Block = std::unique_ptr<std::uint8_t[]>;

  // Null: the system has no memory.
  Block take();
  void give(Block block);

  // Any thread: bytes of copies that are on their way to a connection, of all in this environment.
  void add(std::size_t size) { under_way_ += size; }
  void remove(std::size_t size) { under_way_ -= size; }
  std::size_t under_way() const { return under_way_; }

 private:
  static constexpr std::size_t kKept = 32;

  std::mutex mutex_;
  std::vector<Block> free_;
  std::atomic<std::size_t> under_way_{0};
};

// How far the environment may run ahead of the thread without waiting for it to say that a write is done.
class WriteAhead {
 public:
  // The environment's thread. A connection may always be a little ahead, and further while few others are: each time
  // that it has to be waited for is a wake-up of both threads, and what many slow peers leave waiting is memory.
  bool permits(std::size_t size, const BlockPool& pool) const {
    if (closed_ || !open_) return false;
    const std::size_t ahead = unsent_ + size;
    return ahead <= kAlways || (ahead <= kMost && pool.under_way() + size <= kShared);
  }
  // A write would fail alone from now on, and somebody has to hear of that.
  void close() { closed_ = true; }

  // The thread of the connection.
  void set_open(bool on) { open_ = on; }

  // Any thread: bytes that the connection has not taken yet.
  void add(std::size_t size) { unsent_ += size; }
  void remove(std::size_t size) { unsent_ -= size; }

 private:
  static constexpr std::size_t kAlways = 256 * 1024;
  static constexpr std::size_t kMost = 1024 * 1024;
  static constexpr std::size_t kShared = 8 * 1024 * 1024;

  std::atomic<std::size_t> unsent_{0};
  std::atomic<bool> open_{false};
  bool closed_ = false;
};

class CopiedBytes : public engine::WholeSource {
 public:
  // Null: the system has no memory.
  static std::unique_ptr<CopiedBytes> of(std::span<const std::uint8_t> bytes, std::shared_ptr<BlockPool> pool,
                                         std::shared_ptr<WriteAhead> ahead);
  ~CopiedBytes() override;
  CopiedBytes(const CopiedBytes&) = delete;
  CopiedBytes& operator=(const CopiedBytes&) = delete;

  std::span<const std::uint8_t> bytes() override { return {block_.get(), size_}; }

 private:
  CopiedBytes(std::span<const std::uint8_t> bytes, BlockPool::Block block, std::shared_ptr<BlockPool> pool,
              std::shared_ptr<WriteAhead> ahead);
  // The others are rare, or cheap.
  static bool pooled(std::size_t size) { return size > kSmall && size <= BlockPool::kBlock; }
  static constexpr std::size_t kSmall = 4 * 1024;

  const std::size_t size_;
  const std::shared_ptr<BlockPool> pool_;
  const std::shared_ptr<WriteAhead> ahead_;
  BlockPool::Block block_;
};

}  // namespace system_tls::binding
