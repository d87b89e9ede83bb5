// What is written to a connection on an I/O thread while the thread is busy: it takes all of it at once, so that many
// small writes are one message and few records.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "io/threads/copied_bytes.h"

namespace system_tls::io {

class WriteBuffer {
 public:
  explicit WriteBuffer(std::shared_ptr<WriteAhead> ahead) : ahead_(std::move(ahead)) {}
  WriteBuffer(const WriteBuffer&) = delete;
  WriteBuffer& operator=(const WriteBuffer&) = delete;

  enum class Added {
    // There was nothing: the thread must be told to take it.
    first,
    // It was told before, and has not come yet.
    more,
    no_memory,
  };
  // The environment's thread.
  Added add(std::span<const std::uint8_t> bytes);
  bool empty() const;

  // The thread of the connection, once for each Added::first.
  Pieces take();

 private:
  const std::shared_ptr<WriteAhead> ahead_;
  mutable std::mutex mutex_;  // guards the one below
  Pieces pieces_;
};

}  // namespace system_tls::io
