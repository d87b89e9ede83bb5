// I/O threads, and which of them gets the next connection.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "io/threads/io_thread.h"

namespace system_tls::io {

// All of it: the owner's thread.
class IoPool {
 public:
  explicit IoPool(std::weak_ptr<IoThread::Owner> owner) : owner_(std::move(owner)) {}
  IoPool(const IoPool&) = delete;
  IoPool& operator=(const IoPool&) = delete;
  // As many slabs for each thread as fit into `slabs` evenly. Null: `failure` says why.
  static std::shared_ptr<IoPool> open(const std::shared_ptr<IoThread::Owner>& owner, std::size_t threads,
                                      std::span<const Slab> slabs, openssl::FailurePtr& failure);

  std::size_t size() const { return threads_.size(); }
  bool stopped() const { return stopped_; }
  // The one with the fewest connections, by the share of it that they leave free; null once stopped.
  std::shared_ptr<IoThread> choose() const;
  const std::vector<std::shared_ptr<IoThread>>& threads() const { return threads_; }
  // Closes what lives on the threads, and waits for them.
  void stop();

  // False: `failure` says why.
  bool add(std::span<const Slab> slabs, openssl::FailurePtr& failure);
  // Puts nothing new on the thread at `index`, so that it becomes vacant; false: there is no other, or it is retired.
  bool retire(std::size_t index);
  // Takes back the last retire() of a thread that has not been asked to end. False: there is none.
  bool revive();
  bool retired(std::size_t index) const { return balance_[index].retired; }
  // Retired, with nothing on it that the owner knows of: asked to end, it gets nothing any more.
  std::vector<std::shared_ptr<IoThread>> ask_to_end();
  // What ask_to_end() has given: its answer. True: it has ended, and its slabs are free.
  bool end(const std::shared_ptr<IoThread>& thread, bool vacant);

  // Of each thread: how much of the time since the last call it has spent on a processor, from 0 to 1. choose() goes by
  // it from then on, mixed with what was before: on the last second alone new connections would all go to one thread in
  // one second, and to another one in the next.
  std::vector<double> measure();

 private:
  struct Balance {
    std::uint64_t measured = 0;  // IoThread::processor_time()
    double busy = 0;
    bool retired = false;
    bool ending = false;
  };
  std::size_t free_number() const;

  const std::weak_ptr<IoThread::Owner> owner_;
  std::vector<std::shared_ptr<IoThread>> threads_;
  std::vector<Balance> balance_;  // of each
  std::uint64_t measured_at_ = uv_hrtime();
  bool stopped_ = false;
};

}  // namespace system_tls::io
