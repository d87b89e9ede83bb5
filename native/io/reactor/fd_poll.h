// A descriptor on a reactor's loop, and which of its events are polled for.
#pragma once

#include "io/reactor/reactor.h"
#include "io/reactor/uv_handle.h"
#include "openssl/library/failure.h"

namespace system_tls::io {

// Hears of a descriptor that is polled.
class PollOwner {
 public:
  // `status` < 0: an error, at which libuv has stopped polling. Whoever polls may be gone after this.
  virtual void polled(int status, int events) = 0;

 protected:
  ~PollOwner() = default;
};

class FdPoll {
 public:
  // Null, or why that loop could not poll the descriptor: EEXIST if it polls it already, for somebody else.
  static openssl::FailurePtr probe(Reactor& reactor, int fd);

  // The descriptor stays the caller's, who closes it after this. Fails as probe() does, and then nothing is held.
  openssl::FailurePtr open(Reactor& reactor, int fd, PollOwner* owner);
  // What `from` polls, in its place and for the same events: closing it and opening another would cost six system
  // calls.
  void take(FdPoll& from, PollOwner* owner);
  // Closing the handle takes the descriptor out of the loop's epoll at once, though its callback comes later.
  void close() { poll_.reset(); }
  explicit operator bool() const { return static_cast<bool>(poll_); }

  // UV_READABLE, UV_WRITABLE, both, or 0: what is polled for.
  int events() const { return events_; }
  void set(int events);
  // libuv has stopped by itself: it does so at an error.
  void stopped() { events_ = 0; }
  void set_ref(bool on) { poll_.set_ref(on); }

 private:
  UvHandle<uv_poll_t> poll_;
  int events_ = 0;
};

}  // namespace system_tls::io
