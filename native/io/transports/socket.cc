#include "io/transports/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace system_tls::io {

using openssl::FailurePtr;
using openssl::system_failure;

void Fd::reset() noexcept {
  // close(2) releases the number even when it is interrupted: never repeated.
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

#ifdef MSG_NOSIGNAL
const int kSendFlags = MSG_NOSIGNAL;
#else
const int kSendFlags = 0;
#endif

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

int set_non_blocking(int fd) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return errno;
  if ((flags & O_NONBLOCK) != 0) return 0;
  return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 ? 0 : errno;
}

namespace {

void suppress_sigpipe([[maybe_unused]] int fd) {
#ifdef SO_NOSIGPIPE
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
}

std::optional<Address> address_of(const sockaddr_storage& storage, socklen_t size) {
  Address address;
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &in.sin_addr, text, sizeof text);
    address.text = text;
    address.port = ntohs(in.sin_port);
  } else if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    address.family = Address::Family::ipv6;
    ::inet_ntop(AF_INET6, &in.sin6_addr, text, sizeof text);
    address.text = text;
    address.port = ntohs(in.sin6_port);
  } else if (storage.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(storage);
    address.family = Address::Family::unix_path;
    const std::size_t length = size - offsetof(sockaddr_un, sun_path);
    address.text.assign(un.sun_path, ::strnlen(un.sun_path, length));
  } else {
    return std::nullopt;
  }
  return address;
}

struct SocketName {
  sockaddr_storage storage{};
  socklen_t size = 0;
};

bool parse(const std::string& address, std::uint16_t port, SocketName& name) {
  auto& v4 = reinterpret_cast<sockaddr_in&>(name.storage);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    name.size = sizeof v4;
    return true;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(name.storage);
  if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) != 1) return false;
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  name.size = sizeof v6;
  return true;
}

bool parse(const ListenOptions& options, SocketName& name) {
  if (!options.path.empty()) {
    auto& un = reinterpret_cast<sockaddr_un&>(name.storage);
    if (options.path.size() >= sizeof un.sun_path) return false;
    un.sun_family = AF_UNIX;
    std::memcpy(un.sun_path, options.path.c_str(), options.path.size() + 1);
    name.size = sizeof un;
    return true;
  }
  return parse(options.address, options.port, name);
}

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

// Null, or the name of the call that failed, with errno.
const char* bind_and_listen(int fd, const SocketName& name, const ListenOptions& options) {
  const bool inet = name.storage.ss_family != AF_UNIX;
  if (inet && !set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1)) return "setsockopt";
  if (options.reuse_port && !set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1)) return "setsockopt";
  if (name.storage.ss_family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0)) {
    return "setsockopt";
  }
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name.storage), name.size) != 0) return "bind";
  return nullptr;
}

// `wanted`: SOCK_STREAM or SOCK_DGRAM.
Fd adopt_socket(int fd, int wanted, bool take, FailurePtr& failure) {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
    failure = system_failure(errno, "getsockopt");
    return {};
  }
  if (type != wanted) {
    failure = system_failure(EPROTOTYPE, "setFd");
    return {};
  }
  Fd owned(take ? fd : ::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  const int error = owned ? set_non_blocking(owned.get()) : errno;
  if (error != 0) {
    failure = system_failure(error, "fcntl");
    if (take) owned.release();  // refused, so it is still the caller's
    return {};
  }
  suppress_sigpipe(owned.get());
  return owned;
}

}  // namespace

Fd adopt_stream_socket(int fd, bool take, FailurePtr& failure) { return adopt_socket(fd, SOCK_STREAM, take, failure); }

Fd adopt_datagram_socket(int fd, bool take, FailurePtr& failure) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0 || errno != ENOTCONN) {
    return adopt_socket(fd, SOCK_DGRAM, take, failure);
  }
  failure = system_failure(ENOTCONN, "setFd");
  return {};
}

std::optional<Address> local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return std::nullopt;
  return address_of(storage, size);
}

PeerName::PeerName(const std::uint8_t* bytes, bool ipv6, std::uint16_t port)
    : port_(port), kind_(ipv6 ? Kind::ipv6 : Kind::ipv4) {
  std::memcpy(bytes_.data(), bytes, ipv6 ? sizeof(in6_addr) : sizeof(in_addr));
}

std::optional<Address> PeerName::address() const {
  if (kind_ == Kind::none) return std::nullopt;
  const bool ipv6 = kind_ == Kind::ipv6;
  char text[INET6_ADDRSTRLEN] = "";
  ::inet_ntop(ipv6 ? AF_INET6 : AF_INET, bytes_.data(), text, sizeof text);
  return Address{ipv6 ? Address::Family::ipv6 : Address::Family::ipv4, text, port_};
}

namespace {
PeerName name_in(const sockaddr_storage& storage) {
  if (storage.ss_family == AF_INET) {
    const auto& in = reinterpret_cast<const sockaddr_in&>(storage);
    return {reinterpret_cast<const std::uint8_t*>(&in.sin_addr), false, ntohs(in.sin_port)};
  }
  if (storage.ss_family == AF_INET6) {
    const auto& in = reinterpret_cast<const sockaddr_in6&>(storage);
    return {reinterpret_cast<const std::uint8_t*>(&in.sin6_addr), true, ntohs(in.sin6_port)};
  }
  return {};
}
}  // namespace

PeerName peer_name(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  return ::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0 ? name_in(storage) : PeerName();
}

Accepted accept_stream(int listening) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* name = reinterpret_cast<sockaddr*>(&storage);
#ifdef SOCK_CLOEXEC
  Fd fd(::accept4(listening, name, &size, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return {};
#else
  Fd fd(::accept(listening, name, &size));
  if (!fd || ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || set_non_blocking(fd.get()) != 0) return {};
#endif
  suppress_sigpipe(fd.get());
  return {std::move(fd), name_in(storage)};
}

int set_no_delay(int fd, bool on) { return set_option(fd, IPPROTO_TCP, TCP_NODELAY, on ? 1 : 0) ? 0 : errno; }

namespace {
// Of the packets of an IPv4 or an IPv6 socket: level and name of the option.
std::pair<int, int> type_of_service_option(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  const bool known = ::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0;
  if (known && storage.ss_family == AF_INET6) return {IPPROTO_IPV6, IPV6_TCLASS};
  return {IPPROTO_IP, IP_TOS};
}
}  // namespace

int set_type_of_service(int fd, int value) {
  const auto [level, name] = type_of_service_option(fd);
  return set_option(fd, level, name, value) ? 0 : errno;
}

int type_of_service(int fd) {
  const auto [level, name] = type_of_service_option(fd);
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(fd, level, name, &value, &size) == 0 ? value : -errno;
}

int set_keep_alive(int fd, bool on, unsigned seconds) {
  if (!set_option(fd, SOL_SOCKET, SO_KEEPALIVE, on ? 1 : 0)) return errno;
#ifdef TCP_KEEPIDLE
  if (on && seconds != 0 && !set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, static_cast<int>(seconds))) return errno;
#elif defined(TCP_KEEPALIVE)
  if (on && seconds != 0 && !set_option(fd, IPPROTO_TCP, TCP_KEEPALIVE, static_cast<int>(seconds))) return errno;
#endif
  return 0;
}

Fd listen_socket(const ListenOptions& options, FailurePtr& failure) {
  Fd fd;
  const char* failed = nullptr;
  if (options.fd >= 0) {
    fd = adopt_stream_socket(options.fd, false, failure);
    if (!fd) return {};
  } else {
    SocketName name;
    if (!parse(options, name)) {
      failure = system_failure(EINVAL, "bind");
      return {};
    }
    fd = Fd(::socket(name.storage.ss_family, SOCK_STREAM, 0));
    if (!fd) {
      failed = "socket";
    } else if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || set_non_blocking(fd.get()) != 0) {
      failed = "fcntl";
    } else {
      failed = bind_and_listen(fd.get(), name, options);
    }
  }
  if (failed == nullptr && ::listen(fd.get(), options.backlog) != 0) failed = "listen";
  if (failed == nullptr) return fd;
  failure = system_failure(errno, failed);
  return {};
}

Fd connect_datagram(const DatagramOptions& options, FailurePtr& failure) {
  SocketName peer;
  SocketName local;
  const bool bound = !options.local_address.empty() || options.local_port != 0;
  if (!parse(options.address, options.port, peer)) {
    failure = system_failure(EINVAL, "connect");
    return {};
  }
  const bool ipv6 = peer.storage.ss_family == AF_INET6;
  const std::string any = ipv6 ? "::" : "0.0.0.0";
  if (bound && !parse(options.local_address.empty() ? any : options.local_address, options.local_port, local)) {
    failure = system_failure(EINVAL, "bind");
    return {};
  }
  const auto name_of = [](SocketName& name) { return reinterpret_cast<const sockaddr*>(&name.storage); };
  const char* failed = nullptr;
  Fd fd(::socket(peer.storage.ss_family, SOCK_DGRAM, 0));
  if (!fd) {
    failed = "socket";
  } else if (::fcntl(fd.get(), F_SETFD, FD_CLOEXEC) != 0 || set_non_blocking(fd.get()) != 0) {
    failed = "fcntl";
  } else if (bound && ::bind(fd.get(), name_of(local), local.size) != 0) {
    failed = "bind";
  } else if (::connect(fd.get(), name_of(peer), peer.size) != 0) {
    failed = "connect";
  }
  if (failed == nullptr) return fd;
  failure = system_failure(errno, failed);
  return {};
}

}  // namespace system_tls::io
