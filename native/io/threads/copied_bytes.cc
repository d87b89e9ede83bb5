#include "io/threads/copied_bytes.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace system_tls::io {

Piece& Piece::operator=(Piece&& other) noexcept {
  if (this == &other) return *this;
  reset();
  block_ = std::move(other.block_);
  capacity_ = std::exchange(other.capacity_, 0);
  size_ = std::exchange(other.size_, 0);
  ahead_ = std::move(other.ahead_);
  return *this;
}

Piece Piece::with_room(std::size_t size, const std::shared_ptr<WriteAhead>& ahead) {
  Piece piece;
  piece.capacity_ = size <= kSmall ? size : BlockPool::kBlock;
  piece.block_ = piece.pooled() ? ahead->pool().take() : BlockPool::Block(new (std::nothrow) std::uint8_t[size]);
  if (!piece.block_) return piece;
  piece.ahead_ = ahead;
  ahead->add(piece.capacity_);
  ahead->pool().add(piece.capacity_);
  return piece;
}

void Piece::reset() {
  if (!block_) return;
  ahead_->remove(capacity_);
  ahead_->pool().remove(capacity_);
  if (pooled()) ahead_->pool().give(std::move(block_));
  block_.reset();
}

void Piece::add(std::span<const std::uint8_t> bytes) {
  std::memcpy(block_.get() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
}

bool Pieces::copy(std::span<const std::uint8_t> bytes, const std::shared_ptr<WriteAhead>& ahead, std::size_t least) {
  Pieces copied;
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), BlockPool::kBlock);
    Piece piece = Piece::with_room(std::max(count, least), ahead);
    if (!piece) return false;
    piece.add(bytes.first(count));
    copied.size_ += count;
    copied.pieces_.push(std::move(piece));
    bytes = bytes.subspan(count);
  }
  append(std::move(copied));
  return true;
}

bool Pieces::add_to_last(std::span<const std::uint8_t> bytes) {
  if (pieces_.empty() || pieces_.back().room() < bytes.size()) return false;
  pieces_.back().add(bytes);
  size_ += bytes.size();
  return true;
}

void Pieces::append(Pieces&& others) {
  size_ += std::exchange(others.size_, 0);
  while (!others.pieces_.empty()) pieces_.push(others.pieces_.pop());
}

std::span<const std::uint8_t> Pieces::from(std::size_t offset) {
  while (!pieces_.empty() && begin_ + pieces_.front().bytes().size() <= offset) {
    const Piece spent = pieces_.pop();
    begin_ += spent.bytes().size();
    size_ -= spent.bytes().size();
  }
  return pieces_.empty() ? std::span<const std::uint8_t>() : pieces_.front().bytes().subspan(offset - begin_);
}

engine::Operation CopiedBytes::write(engine::OperationId id, Pieces pieces) {
  const std::size_t length = pieces.size();
  return {id, engine::Operation::Write{std::make_unique<CopiedBytes>(std::move(pieces)), 0, length}};
}

}  // namespace system_tls::io
