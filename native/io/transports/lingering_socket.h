// A socket whose connection is over. A close(2) with bytes unread is a reset, which overtakes what was sent last, an
// alert perhaps: so the rest is sent, the sending half shut down, and what comes read and dropped until the peer has
// ended too (RFC 9112 section 9.6 describes the same). Bounded in time and bytes.
//
// Belongs to the reactor's thread, and to itself.
#pragma once

#include <uv.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "engine/wire/byte_queue.h"
#include "io/reactor/fd_poll.h"
#include "io/reactor/reactor.h"
#include "io/reactor/uv_handle.h"
#include "io/transports/fd.h"
#include "io/transports/transport.h"

namespace system_tls::io {

class LingeringSocket : public Resident, private PollOwner {
 public:
  // Takes `fd` and `poll`. They stay the caller's where nothing can linger: the reactor is closing, or too many do.
  static void start(Reactor& reactor, Fd& fd, FdPoll& poll, const engine::ByteQueue& out, const Linger& how);
  ~LingeringSocket() override;

  // Resident
  void close() override;

 private:
  LingeringSocket(Reactor& reactor, Fd& fd, FdPoll& poll);
  bool open(const Linger& how);
  void polled(int status, int events) override;
  void go_on(int events);
  // False: the socket is broken.
  bool send_rest();
  bool drop_input();

  Reactor& reactor_;
  // Before poll_, so that it is closed after polling has ended.
  Fd fd_;
  FdPoll poll_;
  UvHandle<uv_timer_t> timer_;
  std::vector<std::uint8_t> rest_;
  std::size_t sent_ = 0;
  std::size_t dropped_ = 0;
  bool active_ = false;
  // Until it is over.
  std::unique_ptr<LingeringSocket> self_;
};

}  // namespace system_tls::io
