#include "io/reactor/fd_poll.h"

#include <utility>

namespace system_tls::io {

// Closed on the way out, before anybody polls the descriptor or closes it: closing takes whatever has this number out
// of the loop's epoll.
openssl::FailurePtr FdPoll::probe(Reactor& reactor, int fd) {
  FdPoll poll;
  return poll.open(reactor, fd, nullptr);
}

openssl::FailurePtr FdPoll::open(Reactor& reactor, int fd, PollOwner* owner) {
  events_ = 0;
  const auto init = [&](uv_poll_t* poll) { return uv_poll_init(reactor.loop(), poll, fd); };
  const int result = poll_.open(reactor.lease(), owner, init);
  return result == 0 ? nullptr : openssl::system_failure(-result, "uv_poll_init");
}

void FdPoll::take(FdPoll& from, PollOwner* owner) {
  poll_ = std::move(from.poll_);
  events_ = std::exchange(from.events_, 0);
  poll_.get()->data = owner;
}

void FdPoll::set(int events) {
  if (events == events_) return;
  events_ = events;
  if (events == 0) {
    uv_poll_stop(poll_.get());
  } else {
    const auto told = [](uv_poll_t* poll, int status, int polled) {
      static_cast<PollOwner*>(poll->data)->polled(status, polled);
    };
    uv_poll_start(poll_.get(), events, told);
  }
}

}  // namespace system_tls::io
