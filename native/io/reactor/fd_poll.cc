#include "io/reactor/fd_poll.h"

namespace system_tls::io {

// Closed on the way out, before anybody polls the descriptor or closes it: closing takes whatever has this number out
// of the loop's epoll.
openssl::FailurePtr FdPoll::probe(Reactor& reactor, int fd) {
  FdPoll poll;
  return poll.open(reactor, fd, nullptr, nullptr);
}

openssl::FailurePtr FdPoll::open(Reactor& reactor, int fd, void* owner, uv_poll_cb callback) {
  callback_ = callback;
  events_ = 0;
  const auto init = [&](uv_poll_t* poll) { return uv_poll_init(reactor.loop(), poll, fd); };
  const int result = poll_.open(reactor.lease(), owner, init);
  return result == 0 ? nullptr : openssl::system_failure(-result, "uv_poll_init");
}

void FdPoll::set(int events) {
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(poll_.get());
  } else {
    uv_poll_start(poll_.get(), events, callback_);
  }
}

}  // namespace system_tls::io
