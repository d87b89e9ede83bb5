// How far an environment may run ahead of an I/O thread without waiting for it to say that a write is done.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "io/threads/block_pool.h"

namespace system_tls::io {

// Of one connection.
class WriteAhead {
 public:
  explicit WriteAhead(std::shared_ptr<BlockPool> pool) : pool_(std::move(pool)) {}

  // The environment's thread. A connection may always be a little ahead, and further while few others are: each time
  // that it has to be waited for is a wake-up of both threads, and what many slow peers leave waiting is memory.
  bool permits(std::size_t size) const {
    if (closed_ || !open_) return false;
    const std::size_t ahead = unsent_ + size;
    return ahead <= kAlways || (ahead <= kMost && pool_->under_way() + size <= kShared);
  }

  // A write would fail alone from now on, and somebody has to hear of that.
  void close() { closed_ = true; }

  // The thread of the connection, whenever it may have changed.
  void set_open(bool on) {
    if (open_ != on) open_ = on;
  }

  // Any thread: what the connection has not taken yet, by the memory that it needs.
  void add(std::size_t size) { unsent_ += size; }
  void remove(std::size_t size) { unsent_ -= size; }
  std::size_t unsent() const { return unsent_; }

  BlockPool& pool() const { return *pool_; }

 private:
  static constexpr std::size_t kAlways = 256 * 1024;
  static constexpr std::size_t kMost = 1024 * 1024;
  static constexpr std::size_t kShared = 8 * 1024 * 1024;

  const std::shared_ptr<BlockPool> pool_;
  std::atomic<std::size_t> unsent_{0};
  std::atomic<bool> open_{false};
  bool closed_ = false;
};

}  // namespace system_tls::io
