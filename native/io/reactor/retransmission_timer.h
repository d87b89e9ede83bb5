// The timer of a DTLS handshake, on the reactor's loop: RFC 6347 section 4.2.4. How long it runs, OpenSSL decides.
#pragma once

#include <uv.h>

#include <chrono>
#include <optional>

#include "io/reactor/reactor.h"
#include "io/reactor/uv_handle.h"

namespace system_tls::io {

class RetransmissionTimer {
 public:
  class Owner {
   public:
    virtual ~Owner() = default;
    // The time is over. The timer may be destroyed meanwhile.
    virtual void retransmit() = 0;
  };

  RetransmissionTimer(Reactor& reactor, Owner& owner) {
    timer_.open(reactor.lease(), &owner, [&](uv_timer_t* timer) { return uv_timer_init(reactor.loop(), timer); });
  }

  // None: stops. `ref`: it keeps the loop running.
  void arm(std::optional<std::chrono::microseconds> left, bool ref) {
    if (!left) {
      uv_timer_stop(timer_.get());
      return;
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*left);
    timer_.set_ref(ref);
    uv_timer_start(
        timer_.get(), [](uv_timer_t* timer) { static_cast<Owner*>(timer->data)->retransmit(); },
        static_cast<std::uint64_t>(wait.count()), 0);
  }

 private:
  UvHandle<uv_timer_t> timer_;
};

}  // namespace system_tls::io
