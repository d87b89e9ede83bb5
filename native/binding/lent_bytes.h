// A large write to a connection on another thread. JavaScript's memory stays where it is, referenced; the thread is
// given copies of parts of it, the next when one is encrypted, so that what is copied ahead does not grow with the
// write.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "binding/channel_access.h"
#include "binding/core/pinned.h"
#include "engine/clear_memory.h"
#include "io/threads/copied_bytes.h"

namespace system_tls::binding {

// What has come for a write and is not encrypted. The thread of the connection, like the write.
struct LentPieces {
  io::Pieces pieces;
  // Behind them: why no more will come.
  openssl::FailurePtr failure;
};

// The environment's thread. Kept by its Delivery, since what it pins must be let go there.
class Lender : public std::enable_shared_from_this<Lender> {
 public:
  static constexpr std::size_t kPart = 512 * 1024;
  // One is encrypted while the next is copied.
  static constexpr std::size_t kAhead = 2 * kPart;

  Lender(const std::shared_ptr<ChannelAccess>& access, std::unique_ptr<PinnedView> view, std::size_t size)
      : access_(access),
        delivery_(access->delivery().weak_from_this()),
        ahead_(access->write_ahead()),
        view_(std::move(view)),
        size_(size),
        pieces_(std::make_shared<LentPieces>()) {}

  // The first kAhead bytes. False: the system has no memory.
  bool begin();
  // The next kPart.
  void lend();
  // The write is over.
  void release();

  const std::shared_ptr<LentPieces>& pieces() const { return pieces_; }
  std::size_t size() const { return size_; }

 private:
  bool copy(std::span<const std::uint8_t> all, std::size_t most, io::Pieces& pieces);

  const std::weak_ptr<ChannelAccess> access_;
  const std::weak_ptr<Delivery> delivery_;
  const std::shared_ptr<io::WriteAhead> ahead_;
  const std::unique_ptr<PinnedView> view_;
  const std::size_t size_;
  std::size_t copied_ = 0;
  const std::shared_ptr<LentPieces> pieces_;
};

// The thread of the connection, but for its constructor.
class LentBytes : public engine::ClearSource {
 public:
  LentBytes(const std::shared_ptr<Lender>& lender, const Delivery& delivery, std::shared_ptr<io::WriteAhead> ahead);
  ~LentBytes() override;
  LentBytes(const LentBytes&) = delete;
  LentBytes& operator=(const LentBytes&) = delete;

  Part part(std::size_t offset, std::size_t length) override;

 private:
  void ask();

  const std::weak_ptr<Lender> lender_;  // locked by tasks of the environment's alone
  const std::shared_ptr<io::Mailbox> environment_;
  const std::shared_ptr<LentPieces> pieces_;
  const std::shared_ptr<io::WriteAhead> ahead_;
  const std::size_t size_;
  std::size_t asked_ = Lender::kAhead;
};

}  // namespace system_tls::binding
