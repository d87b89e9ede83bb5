#include "io/transports/socket_transport.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "io/transports/lingering_socket.h"
#include "io/transports/socket.h"

namespace system_tls::io {

using openssl::FailurePtr;
using openssl::system_failure;

namespace {
constexpr int kPieces = 16;
}  // namespace

std::unique_ptr<SocketTransport> SocketTransport::open(Reactor& reactor, Fd& fd, bool sole, TransportOwner& owner,
                                                       FailurePtr& failure) {
  std::unique_ptr<SocketTransport> transport(new SocketTransport(owner, sole));
  return transport->start(reactor, fd, failure) ? std::move(transport) : nullptr;
}

bool SocketTransport::start(Reactor& reactor, Fd& fd, FailurePtr& failure) {
  failure = poll_.open(reactor, fd.get(), this);
  if (failure) return false;
  fd_ = std::move(fd);
  return true;
}

Moved SocketTransport::send_some(engine::ByteQueue& out, std::size_t most) {
  Moved moved;
  while (moved.bytes < most) {
    iovec pieces[kPieces];
    msghdr message{};
    std::size_t offered = 0;
    out.for_each([&](std::span<const std::uint8_t> piece) {
      const std::size_t size = std::min(piece.size(), most - moved.bytes - offered);
      pieces[message.msg_iovlen++] = {const_cast<std::uint8_t*>(piece.data()), size};
      offered += size;
      return message.msg_iovlen < kPieces && moved.bytes + offered < most;
    });
    message.msg_iov = pieces;
    // Most of the time there is one piece, and send(2) does less.
    const ssize_t sent = message.msg_iovlen == 1 ? ::send(fd_.get(), pieces[0].iov_base, pieces[0].iov_len, kSendFlags)
                                                 : ::sendmsg(fd_.get(), &message, kSendFlags);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (!would_block(errno)) moved.failure = system_failure(errno, "write");
      return moved;
    }
    out.consume(static_cast<std::size_t>(sent));
    moved.bytes += static_cast<std::size_t>(sent);
    // The socket's buffer is full: another call would only say so.
    if (static_cast<std::size_t>(sent) < offered) return moved;
  }
  return moved;
}

namespace {

// What `receive`, a recv(2) of some kind, gave.
template <typename Receive>
Moved received_by(Receive receive) {
  ssize_t received = 0;
  do {
    received = receive();
  } while (received < 0 && errno == EINTR);
  Moved moved;
  if (received > 0) {
    moved.bytes = static_cast<std::size_t>(received);
  } else if (received == 0) {
    moved.eof = true;
  } else if (!would_block(errno)) {
    moved.failure = system_failure(errno, "read");
  }
  return moved;
}

}  // namespace

Moved SocketTransport::receive(std::span<std::uint8_t> to) {
  return received_by([&] { return ::recv(fd_.get(), to.data(), to.size(), 0); });
}

Moved SocketTransport::draw(std::span<std::uint8_t> to, std::span<std::uint8_t> ahead) {
  std::array pieces{iovec{to.data(), to.size()}, iovec{ahead.data(), ahead.size()}};
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = ahead.empty() ? 1 : 2;
  return received_by([&] { return ::recvmsg(fd_.get(), &message, 0); });
}

// Interest in input is given up lazily, when input comes that nobody wants: a reader that asks again after each chunk
// would otherwise cost two epoll_ctl(2) a chunk.
void SocketTransport::watch(bool input, bool output) {
  wanted_ = (input ? UV_READABLE : 0) | (output ? UV_WRITABLE : 0);
  const int keep = poll_.events() & UV_READABLE;
  // There is nothing to wait for, and poll would not wait.
  if (!ended_) poll_.set(wanted_ | keep);
}

void SocketTransport::polled(int status, int events) {
  if (status < 0) {
    on_poll_error();
    return;
  }
  const bool input = (events & UV_READABLE) != 0;
  if (input && (wanted_ & UV_READABLE) == 0) poll_.set(wanted_);
  // This may be gone then.
  owner_.transport_ready(input && (wanted_ & UV_READABLE) != 0, (events & UV_WRITABLE) != 0);
}

// libuv says EBADF for whatever poll(2) calls POLLERR, and has stopped polling. What there is to read comes first, and
// behind it recv(2) and send(2) say what has happened: it is read when somebody wants it, and stays in the kernel until
// then.
void SocketTransport::on_poll_error() {
  poll_.stopped();
  ended_ = true;
  owner_.transport_ready(false, true);
}

void SocketTransport::linger(Reactor& reactor, const engine::ByteQueue& out, const Linger& how) {
  // The user's own socket, of which this is a duplicate, goes on.
  if (!sole_ || ended_) return;
  LingeringSocket::start(reactor, fd_, poll_, out, how);
}

}  // namespace system_tls::io
