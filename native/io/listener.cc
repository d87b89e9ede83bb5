#include "io/listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace system_tls::io {

using openssl::FailurePtr;
using openssl::system_failure;

namespace {
// Connections that go through their handshakes in step find the code of each step in the processor's caches, but the
// loop stalls for all of them at once: so many are accepted in a turn as go through theirs in that time, at the most.
constexpr std::uint64_t kStall = 3'000'000;  // nanoseconds
constexpr int kMostAccepts = 8;
constexpr std::uint64_t kPauseAfterFailure = 100;  // milliseconds
// Offered and not taken, JavaScript is busy with something else: connections to come wait in the kernel, which bounds
// them by the backlog, and not in descriptors of this process.
constexpr std::size_t kMostOffered = 128;
constexpr std::uint64_t kPauseUntilTaken = 5;  // milliseconds

// Gone between arrival and accept(2), or for this connection alone: the next one may be fine.
bool passing(int error) {
  return error == ECONNABORTED || error == EPROTO || error == ENETDOWN || error == ENOPROTOOPT || error == EHOSTDOWN ||
         error == EHOSTUNREACH || error == EOPNOTSUPP || error == ENETUNREACH || error == EINTR || error == EPERM;
}
}  // namespace

FailurePtr Listener::listen(const ListenOptions& options) {
  FailurePtr failure;
  Fd fd = listen_socket(options, failure);
  if (!fd) return failure;
  failure = poll_.open(*reactor_, fd.get(), this);
  if (failure) return failure;
  fd_ = std::move(fd);
  path_ = options.path;
  set_ref(referenced_);
  poll_.set(UV_READABLE);
  return nullptr;
}

// poll(2) says "readable" at every turn: without a pause the loop would do nothing else.
void Listener::pause(std::uint64_t milliseconds) {
  poll_.set(0);
  if (!pause_) {
    const auto init = [this](uv_timer_t* timer) { return uv_timer_init(reactor_->loop(), timer); };
    if (pause_.open(reactor_->lease(), this, init) != 0) return;
  }
  // It stands for the poll: without it the process would end in the middle of the pause.
  pause_.set_ref(referenced_);
  uv_timer_start(
      pause_.get(), [](uv_timer_t* timer) { static_cast<Listener*>(timer->data)->poll_.set(UV_READABLE); },
      milliseconds, 0);
}

void Listener::set_ref(bool on) {
  referenced_ = on;
  if (poll_) poll_.set_ref(on);
  if (pause_) pause_.set_ref(on);
  // A thread's loop keeps no process running: whoever does is told.
  activity_.set(reactor_->activity(), on && fd_);
}

void Listener::close() {
  // Accepted, but JavaScript will never hear of them: those that it has been told of already it has taken.
  if (fd_ && !reactor_->closed()) reactor_->recording().withdraw(id_, EventKind::accepted);
  reactor_->offered()->close_of(id_);
  poll_.close();
  pause_.reset();
  if (fd_ && !path_.empty()) ::unlink(path_.c_str());
  fd_.reset();
  activity_.set(reactor_->activity(), false);
}

void Listener::polled(int status, int /*events*/) {
  const Turn turn(*reactor_);
  if (status < 0) {
    poll_.stopped();
    failed(-status, "poll");
  } else {
    accept_some();
  }
}

// As long as somebody waits to be accepted, there is one turn in each iteration of the loop.
void Listener::adapt_accepts() {
  const std::uint64_t now = uv_hrtime();
  const bool stalled = now - std::exchange(last_turn_, now) > kStall;
  accepts_ = stalled ? std::max(accepts_ / 2, 1) : std::min(accepts_ + 1, kMostAccepts);
}

void Listener::accept_some() {
  adapt_accepts();
  for (int i = 0; i < accepts_; ++i) {
    if (reactor_->offered()->count() >= kMostOffered) return pause(kPauseUntilTaken);
    Accepted accepted = accept_stream(fd_.get());
    if (accepted.fd) {
      offer(std::move(accepted));
      continue;
    }
    if (passing(errno)) continue;
    if (!would_block(errno)) failed(errno, "accept");
    return;
  }
}

void Listener::offer(Accepted accepted) {
  told_ = 0;
  const int fd = accepted.fd.get();
  // Who takes it to an I/O thread cannot ask the descriptor any more.
  std::optional<Address> local = reactor_->handles_events() ? std::nullopt : local_address(fd);
  reactor_->offered()->add({id_, std::move(accepted.fd), accepted.peer, std::move(local)});
  reactor_->record({id_, EventKind::accepted, fd, 0, 0});
}

// What lasts is tried again after each pause, and told once.
void Listener::failed(int error, const char* call) {
  pause(kPauseAfterFailure);
  if (std::exchange(told_, error) == error) return;
  const std::int32_t index = reactor_->recording().add_payload(system_failure(error, call));
  reactor_->record({id_, EventKind::accept_failed, index, 0, 0});
}

}  // namespace system_tls::io
