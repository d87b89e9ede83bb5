#include "io/transports/datagram_transport.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>

#include "io/transports/socket.h"

namespace system_tls::io {

using openssl::FailurePtr;
using openssl::system_failure;

namespace {

// In one turn: a peer that floods must not hold up the others.
constexpr int kDatagramsPerTurn = 32;
constexpr std::size_t kEthernet = 1500;
constexpr std::size_t kIpv4Overhead = 28;
constexpr std::size_t kIpv6Overhead = 48;
// A chunk is longer than any datagram, so it lies in two at the most.
constexpr int kPieces = 2;

// Lost, as any datagram may be: too long for the path, or for a queue of the system's.
bool is_loss(int error) { return error == EMSGSIZE || error == ENOBUFS || error == ENOMEM; }

// Ethernet's at the most: a longer one (the loopback's) is divided on its way, or not, as the system can.
void note_path(int fd, engine::Datagrams& datagrams) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size) != 0) return;
  const bool ipv6 = name.ss_family == AF_INET6;
  std::size_t mtu = kEthernet;
#if defined(IP_MTU) && defined(IPV6_MTU)
  int path = 0;
  size = sizeof path;
  if (::getsockopt(fd, ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, ipv6 ? IPV6_MTU : IP_MTU, &path, &size) == 0 && path > 0) {
    mtu = std::min(mtu, static_cast<std::size_t>(path));
  }
#endif
  const std::size_t overhead = ipv6 ? kIpv6Overhead : kIpv4Overhead;
  datagrams.set_path(mtu - std::min(mtu, overhead), overhead);
}

}  // namespace

std::unique_ptr<DatagramTransport> DatagramTransport::open(Reactor& reactor, Fd& fd, TransportOwner& owner,
                                                           std::shared_ptr<engine::Datagrams> datagrams,
                                                           FailurePtr& failure) {
  std::unique_ptr<DatagramTransport> transport(new DatagramTransport(owner, std::move(datagrams)));
  failure = transport->poll_.open(reactor, fd.get(), transport.get());
  if (failure) return nullptr;
  note_path(fd.get(), *transport->datagrams_);
  transport->fd_ = std::move(fd);
  return transport;
}

// 0, or errno.
int DatagramTransport::send_one(const engine::ByteQueue& out, std::size_t size) const {
  iovec pieces[kPieces];
  msghdr message{};
  std::size_t left = size;
  out.for_each([&](std::span<const std::uint8_t> piece) {
    const std::size_t count = std::min(piece.size(), left);
    pieces[message.msg_iovlen++] = {const_cast<std::uint8_t*>(piece.data()), count};
    left -= count;
    return left != 0 && message.msg_iovlen < kPieces;
  });
  message.msg_iov = pieces;
  while (::sendmsg(fd_.get(), &message, kSendFlags) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Moved DatagramTransport::send(engine::ByteQueue& out) {
  Moved moved;
  for (std::size_t size = datagrams_->next(); size != 0; size = datagrams_->next()) {
    const int error = send_one(out, size);
    if (would_block(error)) break;
    if (error != 0 && !is_loss(error)) {
      moved.failure = system_failure(error, "write");
      break;
    }
    out.consume(size);
    datagrams_->sent();
    moved.bytes += size;
  }
  return moved;
}

Moved DatagramTransport::receive(std::span<std::uint8_t> to) {
  Moved moved;
  while (budget_ > 0) {
    --budget_;
    const ssize_t received = ::recv(fd_.get(), to.data(), to.size(), 0);
    if (received > 0) {
      moved.bytes = static_cast<std::size_t>(received);
      return moved;
    }
    if (received == 0 || errno == EINTR) continue;
    budget_ = 0;
    // ECONNREFUSED: nobody listens there (ICMP, told by the next call on a connected socket).
    if (!would_block(errno)) moved.failure = system_failure(errno, "read");
  }
  return moved;
}

void DatagramTransport::watch(bool input, bool output) {
  poll_.set((input ? UV_READABLE : 0) | (output ? UV_WRITABLE : 0));
}

// An error is told by the call that meets it, and poll(2) by "readable": libuv stops polling then.
void DatagramTransport::polled(int status, int events) {
  if (status < 0) poll_.stopped();
  const bool input = status < 0 || (events & UV_READABLE) != 0;
  budget_ = input ? kDatagramsPerTurn : 0;
  // Received by the channel's pump, which asks always_readable(). This may be gone then.
  owner_.transport_ready(false, true);
}

}  // namespace system_tls::io
