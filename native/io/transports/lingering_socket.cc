#include "io/transports/lingering_socket.h"

#include <sys/socket.h>

#include <cerrno>
#include <span>
#include <utility>

#include "io/transports/socket.h"

namespace system_tls::io {

namespace {
// Of one socket: who sends more will not listen either.
constexpr std::size_t kMostDropped = 32 * 1024 * 1024;
// In one iteration of the loop, after which the others have theirs.
constexpr int kReceives = 8;
}  // namespace

void LingeringSocket::start(Reactor& reactor, Fd& fd, FdPoll& poll, const engine::ByteQueue& out, const Linger& how) {
  if (!reactor.may_linger()) return;
  std::unique_ptr<LingeringSocket> socket(new LingeringSocket(reactor, fd, poll));
  out.for_each([&](std::span<const std::uint8_t> piece) {
    socket->rest_.insert(socket->rest_.end(), piece.begin(), piece.end());
    return true;
  });
  if (!socket->open(how)) return;
  LingeringSocket& lingering = *socket;
  lingering.self_ = std::move(socket);
  lingering.go_on(UV_WRITABLE);
}

LingeringSocket::LingeringSocket(Reactor& reactor, Fd& fd, FdPoll& poll) : reactor_(reactor), fd_(std::move(fd)) {
  poll_.take(poll, this);
}

LingeringSocket::~LingeringSocket() {
  if (active_) reactor_.activity()->leave();
  if (timer_) reactor_.note_lingering(-1);
}

bool LingeringSocket::open(const Linger& how) {
  const auto init = [this](uv_timer_t* timer) { return uv_timer_init(reactor_.loop(), timer); };
  if (timer_.open(reactor_.lease(), this, init) != 0) return false;
  reactor_.note_lingering(1);
  move_in(reactor_);
  uv_timer_start(
      timer_.get(), [](uv_timer_t* timer) { static_cast<LingeringSocket*>(timer->data)->close(); },
      static_cast<std::uint64_t>(how.limit.count()), 0);
  poll_.set_ref(how.ref);
  timer_.set_ref(how.ref);
  active_ = how.ref && reactor_.activity() != nullptr;
  if (active_) reactor_.activity()->enter();
  return true;
}

// libuv has stopped at an error, and what comes next is what recv(2) says of it.
void LingeringSocket::polled(int status, int events) {
  if (status < 0) poll_.stopped();
  go_on(status < 0 ? UV_READABLE : events);
}

void LingeringSocket::close() {
  move_out();
  self_.reset();
}

void LingeringSocket::go_on(int events) {
  const bool sending = sent_ < rest_.size();
  bool open = !sending || (events & UV_WRITABLE) == 0 || send_rest();
  if (open && (events & UV_READABLE) != 0) open = drop_input();
  if (!open) {
    close();
    return;
  }
  const bool sent = sent_ == rest_.size();
  if (sent) ::shutdown(fd_.get(), SHUT_WR);
  poll_.set(UV_READABLE | (sent ? 0 : UV_WRITABLE));
}

bool LingeringSocket::send_rest() {
  while (sent_ < rest_.size()) {
    const ssize_t sent = ::send(fd_.get(), rest_.data() + sent_, rest_.size() - sent_, kSendFlags);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return would_block(errno);
    }
    sent_ += static_cast<std::size_t>(sent);
  }
  return true;
}

bool LingeringSocket::drop_input() {
  const std::span<std::uint8_t> buffer = reactor_.receive_buffer();
  for (int i = 0; i < kReceives; ++i) {
    const ssize_t received = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (received < 0) return errno == EINTR || would_block(errno);
    if (received == 0) return false;
    dropped_ += static_cast<std::size_t>(received);
    if (dropped_ > kMostDropped) return false;
  }
  return true;
}

}  // namespace system_tls::io
