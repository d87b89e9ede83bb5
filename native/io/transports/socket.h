// Socket calls that more than one file needs. Failures are errno values, 0 for success, unless said otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "io/transports/fd.h"
#include "openssl/library/failure.h"

struct sockaddr_storage;

namespace system_tls::io {

struct Address {
  enum class Family { ipv4, ipv6, unix_path } family = Family::ipv4;
  std::string text;  // numeric address, or the path
  std::uint16_t port = 0;
};

// The other end of a connected socket, on the Internet, in as little memory as it takes: each connection has one.
class PeerName {
 public:
  PeerName() = default;
  PeerName(const std::uint8_t* bytes, bool ipv6, std::uint16_t port);
  // None for sockets of other families, and those that were not connected any more.
  std::optional<Address> address() const;

 private:
  enum class Kind : std::uint8_t { none, ipv4, ipv6 };

  std::array<std::uint8_t, 16> bytes_{};
  std::uint16_t port_ = 0;
  Kind kind_ = Kind::none;
};

PeerName peer_name(int fd);

// A connection that a listening socket had, with its peer; it does not block. Without one errno says why.
struct Accepted {
  Fd fd;
  PeerName peer;
};
Accepted accept_stream(int listening);

// For send(2) and its like: a peer that has gone is EPIPE, and no signal. 0 where SO_NOSIGPIPE on the socket says so.
extern const int kSendFlags;
// An errno that says to wait.
bool would_block(int error);

int set_non_blocking(int fd);
// Takes `fd` over, or, if not `take`, a duplicate: the caller may close its own whenever it likes, and a descriptor
// that is polled after its number was given to another socket would hang that one. Refuses what is no stream socket.
Fd adopt_stream_socket(int fd, bool take, openssl::FailurePtr& failure);
// The same for a datagram socket, which must be connected to its peer.
Fd adopt_datagram_socket(int fd, bool take, openssl::FailurePtr& failure);

std::optional<Address> local_address(int fd);

int set_no_delay(int fd, bool on);
// IP_TOS, IPV6_TCLASS.
int set_type_of_service(int fd, int value);
// Or a negated errno.
int type_of_service(int fd);
int set_keep_alive(int fd, bool on, unsigned seconds);

struct ListenOptions {
  std::string address;  // numeric
  std::uint16_t port = 0;
  std::string path;  // not empty: a Unix socket
  int fd = -1;       // not -1: bound already
  int backlog = 511;
  bool ipv6_only = false;
  bool reuse_port = false;
};

Fd listen_socket(const ListenOptions& options, openssl::FailurePtr& failure);

// Addresses are numeric; no local one: the system chooses.
struct DatagramOptions {
  std::string address;
  std::uint16_t port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
};

Fd connect_datagram(const DatagramOptions& options, openssl::FailurePtr& failure);

}  // namespace system_tls::io
