// What is written to a connection on another thread: a copy, since JavaScript may change or detach its own memory at
// any time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "engine/clear_memory.h"
#include "engine/fifo.h"
#include "engine/operations/operation.h"
#include "io/threads/write_ahead.h"

namespace system_tls::io {

// In memory that is accounted for until it goes back, on whichever thread.
class Piece {
 public:
  Piece() = default;
  ~Piece() { reset(); }
  Piece(Piece&& other) noexcept { *this = std::move(other); }
  Piece& operator=(Piece&& other) noexcept;

  // Of a block, or of `size` bytes if they are few: each in a block would be a waste. Without memory: the system has
  // none.
  static Piece with_room(std::size_t size, const std::shared_ptr<WriteAhead>& ahead);
  explicit operator bool() const { return block_ != nullptr; }

  std::span<const std::uint8_t> bytes() const { return {block_.get(), size_}; }
  std::size_t room() const { return capacity_ - size_; }
  // No more than there is room for.
  void add(std::span<const std::uint8_t> bytes);

 private:
  void reset();
  bool pooled() const { return capacity_ == BlockPool::kBlock; }
  static constexpr std::size_t kSmall = 4 * 1024;

  BlockPool::Block block_;
  std::size_t capacity_ = 0;
  std::size_t size_ = 0;
  std::shared_ptr<WriteAhead> ahead_;
};

// In order; each goes back when the next is asked for.
class Pieces {
 public:
  // All of `bytes`, or nothing: the system has no memory. There will be room for `least` bytes, up to a block, in each
  // piece.
  bool copy(std::span<const std::uint8_t> bytes, const std::shared_ptr<WriteAhead>& ahead, std::size_t least = 0);
  // Behind the last one, if there is room for all of them.
  bool add_to_last(std::span<const std::uint8_t> bytes);
  void append(Pieces&& others);

  bool empty() const { return pieces_.empty(); }
  // Of all that was added and not given back.
  std::size_t size() const { return size_; }
  // What there is from `offset` on, counted from the first byte ever, in one piece. What lies before it is given back.
  std::span<const std::uint8_t> from(std::size_t offset);

 private:
  engine::Fifo<Piece> pieces_;
  std::size_t size_ = 0;
  std::size_t begin_ = 0;  // of the first
};

class CopiedBytes : public engine::ClearSource {
 public:
  explicit CopiedBytes(Pieces pieces) : pieces_(std::move(pieces)) {}
  // The write of all of them.
  static engine::Operation write(engine::OperationId id, Pieces pieces);

  Part part(std::size_t offset, std::size_t) override { return {pieces_.from(offset), nullptr}; }

 private:
  Pieces pieces_;
};

}  // namespace system_tls::io
