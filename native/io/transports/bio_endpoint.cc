#include "io/transports/bio_endpoint.h"

#include <openssl/err.h>

#include <algorithm>
#include <limits>

namespace system_tls::io {

std::shared_ptr<BioEndpoint> BioEndpoint::memory(Reactor& reactor) {
  openssl::BioPtr bio(BIO_new(BIO_s_mem()));
  if (!bio) return nullptr;
  return std::shared_ptr<BioEndpoint>(new BioEndpoint(reactor.weak_from_this(), std::move(bio)));
}

std::pair<std::shared_ptr<BioEndpoint>, std::shared_ptr<BioEndpoint>> BioEndpoint::pair(Reactor& reactor,
                                                                                        std::size_t size) {
  BIO* first = nullptr;
  BIO* second = nullptr;
  if (BIO_new_bio_pair(&first, size, &second, size) != 1) return {};
  std::shared_ptr<BioEndpoint> a(new BioEndpoint(reactor.weak_from_this(), openssl::BioPtr(first)));
  std::shared_ptr<BioEndpoint> b(new BioEndpoint(reactor.weak_from_this(), openssl::BioPtr(second)));
  a->paired_ = b->paired_ = true;
  a->far_bio_ = b->bio_;
  b->far_bio_ = a->bio_;
  a->partner_ = b;
  b->partner_ = a;
  return {std::move(a), std::move(b)};
}

std::shared_ptr<BioEndpoint> BioEndpoint::far_end() { return paired_ ? partner_.lock() : shared_from_this(); }

void BioEndpoint::wake(const std::weak_ptr<Runnable>& runnable) {
  if (runnable.expired()) return;
  if (const std::shared_ptr<Reactor> reactor = reactor_.lock()) reactor->make_ready(runnable);
}

void BioEndpoint::bytes_arrived() {
  wake(reader_);
  if (watcher_ != nullptr) watcher_->readable();
}

void BioEndpoint::bytes_left() {
  wake(writer_);
  if (watcher_ != nullptr) watcher_->drained();
}

std::size_t BioEndpoint::write(std::span<const std::uint8_t> bytes) {
  ERR_clear_error();
  std::size_t written = 0;
  if (ended_ || bytes.empty() || BIO_write_ex(bio_.get(), bytes.data(), bytes.size(), &written) != 1) return 0;
  if (const std::shared_ptr<BioEndpoint> far = far_end()) far->bytes_arrived();
  return written;
}

std::size_t BioEndpoint::read(std::span<std::uint8_t> to) {
  ERR_clear_error();
  std::size_t count = 0;
  if (to.empty() || BIO_read_ex(bio_.get(), to.data(), to.size(), &count) != 1) return 0;
  if (const std::shared_ptr<BioEndpoint> far = far_end()) far->bytes_left();
  return count;
}

bool BioEndpoint::at_end() const { return pending() == 0 && far_ended(); }

void BioEndpoint::end(bool broken) {
  if (std::exchange(ended_, true)) return;
  broken_ = broken;
  if (const std::shared_ptr<BioEndpoint> far = far_end()) far->bytes_arrived();
}

void BioEndpoint::ignore() {
  if (std::exchange(ignores_, true)) return;
  if (const std::shared_ptr<BioEndpoint> far = far_end()) far->bytes_left();
}

bool BioEndpoint::unread() const {
  if (!paired_) return false;
  const std::shared_ptr<BioEndpoint> partner = partner_.lock();
  return !partner || partner->ignores_;
}

bool BioEndpoint::far_ended() const {
  if (!paired_) return ended_;
  const std::shared_ptr<BioEndpoint> partner = partner_.lock();
  return !partner || partner->ended_;
}

bool BioEndpoint::far_broken() const {
  const std::shared_ptr<BioEndpoint> partner = partner_.lock();
  return partner && partner->broken_;
}

std::size_t BioEndpoint::room() const {
  return paired_ ? BIO_ctrl_get_write_guarantee(bio_.get()) : std::numeric_limits<std::size_t>::max();
}

std::size_t BioEndpoint::pending() const { return BIO_ctrl_pending(bio_.get()); }

}  // namespace system_tls::io
