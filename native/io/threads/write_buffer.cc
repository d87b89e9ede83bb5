#include "io/threads/write_buffer.h"

namespace system_tls::io {

WriteBuffer::Added WriteBuffer::add(std::span<const std::uint8_t> bytes) {
  std::size_t least = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (pieces_.add_to_last(bytes)) return Added::more;
    // Where two wait, more may follow.
    if (!pieces_.empty()) least = BlockPool::kBlock;
  }
  // Without the lock, unlike the rest of a block above: the thread shall wait neither for an allocation nor for the
  // copy of a large write.
  Pieces copied;
  if (!copied.copy(bytes, ahead_, least)) return Added::no_memory;
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool first = pieces_.empty();
  pieces_.append(std::move(copied));
  return first ? Added::first : Added::more;
}

bool WriteBuffer::empty() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return pieces_.empty();
}

Pieces WriteBuffer::take() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return std::exchange(pieces_, {});
}

}  // namespace system_tls::io
