// I/O threads, and which of them gets the next connection.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "io/threads/io_thread.h"

namespace system_tls::io {

// All of it: the owner's thread.
class IoPool {
 public:
  // As many slabs for each thread as fit into `slabs` evenly. Null: `failure` says why.
  static std::shared_ptr<IoPool> open(const std::shared_ptr<IoThread::Owner>& owner, std::size_t threads,
                                      std::span<const Slab> slabs, openssl::FailurePtr& failure);

  std::size_t size() const { return threads_.size(); }
  bool stopped() const { return stopped_; }
  // The one with the fewest connections; null once stopped.
  std::shared_ptr<IoThread> choose() const;
  const std::vector<std::shared_ptr<IoThread>>& threads() const { return threads_; }
  // Closes what lives on the threads, and waits for them.
  void stop();

 private:
  std::vector<std::shared_ptr<IoThread>> threads_;
  bool stopped_ = false;
};

}  // namespace system_tls::io
