// Polling of one descriptor on a loop of its own.
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>

#include "io/reactor/fd_poll.h"
#include "io/transports/fd.h"
#include "test/check.h"
#include "test/loop.h"

namespace system_tls::test {
namespace {

struct Pair {
  io::Fd near;
  io::Fd far;
};

Pair make_pair() {
  int fds[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return {};
  return {io::Fd(fds[0]), io::Fd(fds[1])};
}

// Takes what has come, or it would be told again.
struct Counter final : io::PollOwner {
  explicit Counter(const io::Fd& from) : fd(from.get()) {}
  void polled(int status, int events) override {
    char byte = 0;
    if (status == 0 && (events & UV_READABLE) != 0 && ::recv(fd, &byte, 1, 0) == 1) ++count;
  }
  const int fd;
  int count = 0;
};

bool hears(Loop& loop, const io::Fd& far, const Counter& counter) {
  const int before = counter.count;
  return ::send(far.get(), "x", 1, 0) == 1 && loop.run_until([&] { return counter.count == before + 1; });
}

const Register kProbe("a probe of a descriptor that is polled fails, and disturbs nobody", [] {
  Loop loop;
  const Pair pair = make_pair();
  Counter counter(pair.near);
  io::FdPoll poll;
  CHECK(!poll.open(*loop.reactor, pair.near.get(), &counter));
  CHECK(!io::FdPoll::probe(*loop.reactor, pair.near.get()));  // held, but not polled yet
  poll.set(UV_READABLE);
  CHECK(hears(loop, pair.far, counter));
  const openssl::FailurePtr failure = io::FdPoll::probe(*loop.reactor, pair.near.get());
  CHECK(failure && failure->system_error == EEXIST);
  CHECK(hears(loop, pair.far, counter));
  return true;
});

const Register kReused("a descriptor is closed, and its number polled again, before the loop turns", [] {
  Loop loop;
  int number = -1;
  io::FdPoll poll;
  for (int round = 0; round < 3; ++round) {
    Pair pair = make_pair();
    number = pair.near.get();
    CHECK(!io::FdPoll::probe(*loop.reactor, number));
    Counter before(pair.near);
    CHECK(!poll.open(*loop.reactor, number, &before));
    poll.set(UV_READABLE);
    loop.run_until([turns = 0]() mutable { return turns++ == 1; });
    poll.close();
    pair.near.reset();
    Pair next = make_pair();
    CHECK(next.near.get() == number);
    Counter counter(next.near);
    CHECK(!poll.open(*loop.reactor, number, &counter));
    // What the one before polled for is not what this one does.
    CHECK(poll.events() == 0);
    poll.set(UV_READABLE);
    CHECK(hears(loop, next.far, counter));
    poll.close();
  }
  return true;
});

const Register kTaken("a poll that is taken goes on for its new owner, and for none when that has gone", [] {
  Loop loop;
  const Pair pair = make_pair();
  Counter old_owner(pair.near);
  Counter new_owner(pair.near);
  io::FdPoll first;
  CHECK(!first.open(*loop.reactor, pair.near.get(), &old_owner));
  first.set(UV_READABLE);
  CHECK(hears(loop, pair.far, old_owner));
  {
    io::FdPoll second;
    second.take(first, &new_owner);
    CHECK(!first);
    CHECK(first.events() == 0);
    CHECK(second.events() == UV_READABLE);
    CHECK(hears(loop, pair.far, new_owner));
    second.set(0);
    second.set(UV_READABLE);
    CHECK(hears(loop, pair.far, new_owner));
    CHECK(::send(pair.far.get(), "x", 1, 0) == 1);
  }
  loop.run_until([turns = 0]() mutable { return turns++ == 2; });
  CHECK(old_owner.count == 1);
  CHECK(new_owner.count == 2);
  return true;
});

}  // namespace
}  // namespace system_tls::test
