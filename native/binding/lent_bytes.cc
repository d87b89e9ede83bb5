#include "binding/lent_bytes.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace system_tls::binding {

LentPiece Lender::copy(BlockPool::Block block, std::span<const std::uint8_t> all) {
  const std::size_t size = std::min(kPiece, size_ - copied_);
  std::memcpy(block.get(), all.data() + copied_, size);
  copied_ += size;
  return {std::move(block), size};
}

bool Lender::begin() {
  while (copied_ < kAhead) {
    BlockPool::Block block(new (std::nothrow) std::uint8_t[kPiece]);
    if (!block) return false;
    pieces_->pieces.push(copy(std::move(block), view_->bytes()));
  }
  return true;
}

void Lender::lend(BlockPool::Block block) {
  const std::shared_ptr<ChannelAccess> access = access_.lock();
  if (!access || access->closed()) return;
  const std::span<const std::uint8_t> all = view_->bytes();
  LentPiece piece;
  if (all.size() >= size_) piece = copy(std::move(block), all);
  access->run([pieces = pieces_, piece = std::move(piece)](io::Channel& channel) mutable {
    if (piece.block) {
      pieces->pieces.push(std::move(piece));
    } else {
      pieces->failure = engine::ClearSource::gone();
    }
    channel.pump();
  });
}

void Lender::release() {
  if (const std::shared_ptr<Delivery> delivery = delivery_.lock()) delivery->release(this);
}

LentBytes::LentBytes(const std::shared_ptr<Lender>& lender, const Delivery& delivery, std::shared_ptr<WriteAhead> ahead)
    : lender_(lender),
      environment_(delivery.shared_mailbox()),
      pieces_(lender->pieces()),
      pool_(delivery.blocks()),
      ahead_(std::move(ahead)),
      size_(lender->size()) {
  ahead_->add(size_);
  pool_->add(Lender::kAhead);
}

LentBytes::~LentBytes() {
  ahead_->remove(size_);
  pool_->remove(Lender::kAhead);
  environment_->post([lender = lender_] {
    if (const std::shared_ptr<Lender> there = lender.lock()) there->release();
  });
}

engine::ClearSource::Part LentBytes::part(std::size_t offset, std::size_t) {
  engine::Fifo<LentPiece>& pieces = pieces_->pieces;
  while (!pieces.empty() && begin_ + pieces.front().size <= offset) {
    LentPiece spent = pieces.pop();
    begin_ += spent.size;
    if (asked_ < size_) ask(std::move(spent.block));
  }
  if (pieces.empty()) return {{}, pieces_->failure};
  const LentPiece& piece = pieces.front();
  return {std::span<const std::uint8_t>(piece.block.get(), piece.size).subspan(offset - begin_), nullptr};
}

void LentBytes::ask(BlockPool::Block block) {
  asked_ += Lender::kPiece;
  environment_->post([lender = lender_, block = std::move(block)]() mutable {
    if (const std::shared_ptr<Lender> there = lender.lock()) there->lend(std::move(block));
  });
}

}  // namespace system_tls::binding
