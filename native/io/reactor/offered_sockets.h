// Accepted sockets that JavaScript was offered and has not taken yet, of all listeners of an environment. Whoever goes
// first, the listener or the environment, closes them: an event that is never handled must not leave a descriptor
// behind.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "io/transports/socket.h"

namespace system_tls::io {

// Any thread: a listener may live on an I/O thread, and who takes is the environment's.
class OfferedSockets {
 public:
  struct Offered {
    std::int32_t listener;
    Fd fd;
    PeerName peer;
    // Where nobody can ask the descriptor later.
    std::optional<Address> local;
  };

  void add(Offered offered) {
    const std::lock_guard<std::mutex> lock(mutex_);
    offered_.push_back(std::move(offered));
  }

  // None: it was not offered here.
  std::optional<Offered> take(int fd) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found =
        std::find_if(offered_.begin(), offered_.end(), [fd](const Offered& each) { return each.fd.get() == fd; });
    if (found == offered_.end()) return std::nullopt;
    std::optional<Offered> taken(std::move(*found));
    offered_.erase(found);
    return taken;
  }

  std::size_t count() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return offered_.size();
  }

  void close_of(std::int32_t listener) {
    const std::lock_guard<std::mutex> lock(mutex_);
    std::erase_if(offered_, [listener](const Offered& each) { return each.listener == listener; });
  }

 private:
  std::mutex mutex_;
  std::vector<Offered> offered_;
};

}  // namespace system_tls::io
