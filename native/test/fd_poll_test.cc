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
void count_input(uv_poll_t* poll, int status, int events) {
  uv_os_fd_t fd = -1;
  uv_fileno(reinterpret_cast<uv_handle_t*>(poll), &fd);
  char byte = 0;
  if (status == 0 && (events & UV_READABLE) != 0 && ::recv(fd, &byte, 1, 0) == 1) ++*static_cast<int*>(poll->data);
}

bool hears(Loop& loop, const io::Fd& far, const int& count) {
  const int before = count;
  return ::send(far.get(), "x", 1, 0) == 1 && loop.run_until([&] { return count == before + 1; });
}

const Register kProbe("a probe of a descriptor that is polled fails, and disturbs nobody", [] {
  Loop loop;
  const Pair pair = make_pair();
  int count = 0;
  io::FdPoll poll;
  CHECK(!poll.open(*loop.reactor, pair.near.get(), &count, count_input));
  CHECK(!io::FdPoll::probe(*loop.reactor, pair.near.get()));  // held, but not polled yet
  poll.set(UV_READABLE);
  CHECK(hears(loop, pair.far, count));
  const openssl::FailurePtr failure = io::FdPoll::probe(*loop.reactor, pair.near.get());
  CHECK(failure && failure->system_error == EEXIST);
  CHECK(hears(loop, pair.far, count));
  return true;
});

const Register kReused("a descriptor is closed, and its number polled again, before the loop turns", [] {
  Loop loop;
  int count = 0;
  int number = -1;
  io::FdPoll poll;
  for (int round = 0; round < 3; ++round) {
    Pair pair = make_pair();
    number = pair.near.get();
    CHECK(!io::FdPoll::probe(*loop.reactor, number));
    CHECK(!poll.open(*loop.reactor, number, &count, count_input));
    poll.set(UV_READABLE);
    loop.run_until([turns = 0]() mutable { return turns++ == 1; });
    poll.close();
    pair.near.reset();
    Pair next = make_pair();
    CHECK(next.near.get() == number);
    CHECK(!poll.open(*loop.reactor, number, &count, count_input));
    // What the one before polled for is not what this one does.
    CHECK(poll.events() == 0);
    poll.set(UV_READABLE);
    CHECK(hears(loop, next.far, count));
    poll.close();
  }
  return true;
});

}  // namespace
}  // namespace system_tls::test
