#include "io/threads/io_pool.h"

#include <algorithm>

namespace system_tls::io {

std::shared_ptr<IoPool> IoPool::open(const std::shared_ptr<IoThread::Owner>& owner, std::size_t threads,
                                     std::span<const Slab> slabs, openssl::FailurePtr& failure) {
  auto pool = std::make_shared<IoPool>(owner);
  const std::size_t each = threads == 0 ? 0 : slabs.size() / threads;
  for (std::size_t index = 0; index < threads; ++index) {
    if (!pool->add(slabs.subspan(index * each, each), failure)) return nullptr;
  }
  return pool;
}

std::shared_ptr<IoThread> IoPool::choose() const {
  // A thread that is full counts as one with ten times its connections: it is not left without any, since it may be
  // done with them before the next measurement.
  static constexpr double kLeastFree = 0.1;
  const auto crowding = [this](std::size_t index) {
    return (threads_[index]->load() + 1) / std::max(kLeastFree, 1 - balance_[index].busy);
  };
  std::shared_ptr<IoThread> best;
  double least = 0;
  for (std::size_t index = 0; !stopped_ && index < threads_.size(); ++index) {
    if (balance_[index].retired || (best && crowding(index) >= least)) continue;
    best = threads_[index];
    least = crowding(index);
  }
  return best;
}

void IoPool::stop() {
  stopped_ = true;
  for (const std::shared_ptr<IoThread>& thread : threads_) thread->stop();
}

// For names that people see.
std::size_t IoPool::free_number() const {
  std::size_t number = 0;
  const auto taken = [&number](const auto& thread) { return thread->number() == number; };
  while (std::any_of(threads_.begin(), threads_.end(), taken)) ++number;
  return number;
}

bool IoPool::add(std::span<const Slab> slabs, openssl::FailurePtr& failure) {
  auto thread = IoThread::open(owner_, slabs, free_number(), failure);
  if (!thread) return false;
  threads_.push_back(std::move(thread));
  balance_.emplace_back();
  return true;
}

bool IoPool::retire(std::size_t index) {
  const auto in_use =
      std::count_if(balance_.begin(), balance_.end(), [](const Balance& each) { return !each.retired; });
  if (index >= threads_.size() || balance_[index].retired || in_use < 2) return false;
  return balance_[index].retired = true;
}

bool IoPool::revive() {
  const auto found = std::find_if(balance_.rbegin(), balance_.rend(),
                                  [](const Balance& each) { return each.retired && !each.ending; });
  if (found == balance_.rend()) return false;
  found->retired = false;
  return true;
}

std::vector<std::shared_ptr<IoThread>> IoPool::ask_to_end() {
  std::vector<std::shared_ptr<IoThread>> asked;
  for (std::size_t index = 0; !stopped_ && index < threads_.size(); ++index) {
    const std::shared_ptr<IoThread>& thread = threads_[index];
    if (!balance_[index].retired || balance_[index].ending || thread->load() != 0 || thread->users() != 0) continue;
    balance_[index].ending = true;
    asked.push_back(thread);
  }
  return asked;
}

bool IoPool::end(const std::shared_ptr<IoThread>& thread, bool vacant) {
  const auto found = std::find(threads_.begin(), threads_.end(), thread);
  if (stopped_ || found == threads_.end()) return false;
  const auto balance = balance_.begin() + (found - threads_.begin());
  // Such as last words that wait for their peer: it is asked again.
  balance->ending = false;
  if (!vacant) return false;
  thread->stop();
  balance_.erase(balance);
  threads_.erase(found);
  return true;
}

std::vector<double> IoPool::measure() {
  const std::uint64_t now = uv_hrtime();
  const auto elapsed = static_cast<double>(std::max<std::uint64_t>(1, now - measured_at_));
  measured_at_ = now;
  std::vector<double> shares;
  for (std::size_t index = 0; index < threads_.size(); ++index) {
    Balance& balance = balance_[index];
    const std::uint64_t time = threads_[index]->processor_time();
    const auto spent = static_cast<double>(time - std::exchange(balance.measured, time));
    shares.push_back(std::min(1.0, spent / elapsed));
    balance.busy = (balance.busy + shares.back()) / 2;
  }
  return shares;
}

}  // namespace system_tls::io
