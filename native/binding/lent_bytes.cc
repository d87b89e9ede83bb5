#include "binding/lent_bytes.h"

#include <algorithm>
#include <cerrno>
#include <utility>

namespace system_tls::binding {

bool Lender::copy(std::span<const std::uint8_t> all, std::size_t most, io::Pieces& pieces) {
  const std::size_t size = std::min(most, size_ - copied_);
  if (!pieces.copy(all.subspan(copied_, size), ahead_)) return false;
  copied_ += size;
  return true;
}

bool Lender::begin() { return copy(view_->bytes(), kAhead, pieces_->pieces); }

void Lender::lend() {
  const std::shared_ptr<ChannelAccess> access = access_.lock();
  if (!access || access->closed()) return;
  const std::span<const std::uint8_t> all = view_->bytes();
  io::Pieces part;
  openssl::FailurePtr failure;
  if (all.size() < size_) {
    failure = engine::ClearSource::gone();
  } else if (!copy(all, kPart, part)) {
    failure = openssl::system_failure(ENOMEM, "malloc");
  }
  access->run([pieces = pieces_, part = std::move(part), failure = std::move(failure)](io::Channel& channel) mutable {
    // Behind a part that could not be had, the next one would be a hole.
    if (!pieces->failure) {
      pieces->pieces.append(std::move(part));
      pieces->failure = std::move(failure);
    }
    channel.pump();
  });
}

void Lender::release() {
  if (const std::shared_ptr<Delivery> delivery = delivery_.lock()) delivery->release(this);
}

// All of it is ahead, though most is not copied: what is written behind it has to wait.
LentBytes::LentBytes(const std::shared_ptr<Lender>& lender, const Delivery& delivery,
                     std::shared_ptr<io::WriteAhead> ahead)
    : lender_(lender),
      environment_(delivery.shared_mailbox()),
      pieces_(lender->pieces()),
      ahead_(std::move(ahead)),
      size_(lender->size()) {
  ahead_->add(size_);
}

LentBytes::~LentBytes() {
  ahead_->remove(size_);
  environment_->post([lender = lender_] {
    if (const std::shared_ptr<Lender> there = lender.lock()) there->release();
  });
}

engine::ClearSource::Part LentBytes::part(std::size_t offset, std::size_t) {
  const std::span<const std::uint8_t> bytes = pieces_->pieces.from(offset);
  while (asked_ < size_ && offset + Lender::kPart >= asked_) ask();
  if (bytes.empty()) return {{}, pieces_->failure};
  return {bytes, nullptr};
}

void LentBytes::ask() {
  asked_ += Lender::kPart;
  environment_->post([lender = lender_] {
    if (const std::shared_ptr<Lender> there = lender.lock()) there->lend();
  });
}

}  // namespace system_tls::binding
