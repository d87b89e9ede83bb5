// Accepted sockets that JavaScript was offered and has not taken yet. Whoever goes first, the listener or the
// environment, closes them: an event that is never handled must not leave a descriptor behind.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "io/transports/fd.h"

namespace system_tls::io {

class OfferedSockets {
 public:
  void add(std::int32_t listener, Fd fd) { offered_.push_back({listener, std::move(fd)}); }

  // None: it was not offered here.
  Fd take(int fd) {
    const auto found =
        std::find_if(offered_.begin(), offered_.end(), [fd](const Offered& each) { return each.fd.get() == fd; });
    if (found == offered_.end()) return {};
    Fd taken = std::move(found->fd);
    offered_.erase(found);
    return taken;
  }

  void close_of(std::int32_t listener) {
    std::erase_if(offered_, [listener](const Offered& each) { return each.listener == listener; });
  }
  void close_all() { offered_.clear(); }

 private:
  struct Offered {
    std::int32_t listener;
    Fd fd;
  };
  std::vector<Offered> offered_;
};

}  // namespace system_tls::io
