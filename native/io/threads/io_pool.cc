#include "io/threads/io_pool.h"

#include <algorithm>

namespace system_tls::io {

std::shared_ptr<IoPool> IoPool::open(const std::shared_ptr<IoThread::Owner>& owner, std::size_t threads,
                                     std::span<const Slab> slabs, openssl::FailurePtr& failure) {
  auto pool = std::make_shared<IoPool>();
  const std::size_t each = slabs.size() / threads;
  for (std::size_t index = 0; index < threads; ++index) {
    auto thread = IoThread::open(owner, slabs.subspan(index * each, each), index, failure);
    if (!thread) return nullptr;
    pool->threads_.push_back(std::move(thread));
  }
  return pool;
}

std::shared_ptr<IoThread> IoPool::choose() const {
  if (stopped_) return nullptr;
  return *std::min_element(threads_.begin(), threads_.end(),
                           [](const auto& one, const auto& other) { return one->load() < other->load(); });
}

void IoPool::stop() {
  stopped_ = true;
  for (const std::shared_ptr<IoThread>& thread : threads_) thread->stop();
}

}  // namespace system_tls::io
