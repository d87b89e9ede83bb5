// Memory for copies of what is written to connections on other threads: fresh pages cost more than the copying.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace system_tls::io {

// Of one environment: its thread takes, I/O threads give back.
class BlockPool {
 public:
  static constexpr std::size_t kBlock = 64 * 1024;
  using Block = std::unique_ptr<std::uint8_t[]>;

  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // Null: the system has no memory.
  Block take();
  void give(Block block);
  // Blocks that lie ready: never more than kKeptForEach of those that are taken, or kKept if that is more, so that what
  // a burst needed does not stay for good.
  std::size_t free() const;
  static constexpr std::size_t kKept = 32;
  static constexpr std::size_t kKeptForEach = 4;

  // Any thread: bytes of memory that hold copies, of all connections.
  void add(std::size_t size) { under_way_ += size; }
  void remove(std::size_t size) { under_way_ -= size; }
  std::size_t under_way() const { return under_way_; }

 private:
  mutable std::mutex mutex_;  // guards the two below
  std::vector<Block> free_;
  std::size_t taken_ = 0;
  std::atomic<std::size_t> under_way_{0};
};

}  // namespace system_tls::io
