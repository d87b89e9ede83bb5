// Reactor, transports and channels on a loop of their own, without node.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cstring>
#include <string>
#include <vector>

#include "io/bio_endpoint.h"
#include "io/channel.h"
#include "io/listener.h"
#include "io/reactor.h"
#include "io/socket.h"
#include "test/check.h"
#include "test/loop.h"

namespace system_tls::test {
namespace {

using Kind = engine::Operation::Kind;
using io::EventKind;

bool connect_sockets(Ends& ends) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) return false;
  openssl::FailurePtr failure;
  io::Fd near = io::adopt_stream_socket(fds[0], true, failure);
  io::Fd far = io::adopt_stream_socket(fds[1], true, failure);
  return !failure && !ends.client->set_socket(near, true) && !ends.server->set_socket(far, true);
}

const Register kBulk("a megabyte through a socket, both ways", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Loop loop;
    Ends ends = make_ends(loop, version);
    CHECK(connect_sockets(ends));
    const std::string bytes(1 << 20, 'x');
    {
      const io::Turn turn(*loop.reactor);
      ends.client->start(operation(1, Kind::handshake));
      ends.client->start(write_operation(2, bytes));
      ends.server->start(write_operation(1, bytes));
      ends.client->start_flow();
      ends.server->start_flow();
    }
    CHECK(loop.run_until([&] {
      return loop.received[kClient].size() == bytes.size() && loop.received[kServer].size() == bytes.size();
    }));
    CHECK(loop.received[kClient] == bytes);
    CHECK(loop.count(kClient, EventKind::operation_done) == 2);
  }
  return true;
});

const Register kBios("two channels on a BIO pair, and on memory BIOs", [] {
  for (const bool paired : {true, false}) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_3_VERSION);
    auto [a, b] = io::BioEndpoint::pair(*loop.reactor, 500);
    const auto there = paired ? a : io::BioEndpoint::memory(*loop.reactor);
    const auto back = paired ? b : io::BioEndpoint::memory(*loop.reactor);
    const std::string bytes(100'000, 'y');
    {
      const io::Turn turn(*loop.reactor);
      ends.client->set_bios(there, paired ? there : back);
      ends.server->set_bios(back, paired ? back : there);
      ends.client->start(operation(1, Kind::handshake));
      ends.client->start(write_operation(2, bytes));
      ends.server->start_flow();
    }
    CHECK(loop.run_until([&] { return loop.received[kServer].size() == bytes.size(); }));
  }
  return true;
});

const Register kVanish("a peer that vanishes, at every point of a handshake", [] {
  for (int after = 0; after < 40; ++after) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_3_VERSION);
    CHECK(connect_sockets(ends));
    {
      const io::Turn turn(*loop.reactor);
      ends.client->start(operation(1, Kind::handshake));
      ends.client->start(write_operation(2, "hello"));
      ends.client->start_flow();
      ends.server->start(operation(1, Kind::handshake));
    }
    int turns = 0;
    loop.run_until([&] { return turns++ == after; });
    {
      const io::Turn turn(*loop.reactor);
      ends.server->close();
    }
    CHECK(loop.run_until([&] { return loop.count(kClient, EventKind::failed) == 1; }));
    CHECK(loop.count(kClient, EventKind::end) == 0);
  }
  return true;
});

const Register kTeardown("a reactor that is closed in the middle of anything lets go of everything", [] {
  for (int after = 0; after < 60; after += 3) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_2_VERSION);
    CHECK(connect_sockets(ends));
    {
      const io::Turn turn(*loop.reactor);
      ends.client->start(operation(1, Kind::handshake));
      ends.client->start(write_operation(2, std::string(1 << 20, 'z')));
      ends.server->start_flow();
    }
    int turns = 0;
    loop.run_until([&] { return turns++ == after; });
    loop.reactor->close();
    CHECK(loop.run_until([&] { return loop.closed; }));
    CHECK(ends.client->connection() == nullptr);
  }
  return true;
});

const Register kCloseInDelivery("channels closed while events are delivered", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  CHECK(connect_sockets(ends));
  loop.on_deliver = [&] {
    const io::Turn turn(*loop.reactor);
    if (loop.received[kServer].size() > 100'000) {
      ends.server.reset();
      ends.client.reset();
    }
  };
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(write_operation(1, std::string(4 << 20, 'w')));
    ends.server->start_flow();
  }
  CHECK(loop.run_until([&] { return ends.server == nullptr; }));
  return true;
});

const Register kListener("a listener accepts; what is not taken over is closed with it", [] {
  Loop loop;
  auto listener = std::make_shared<io::Listener>(*loop.reactor, 7);
  io::ListenOptions options;
  options.address = "127.0.0.1";
  CHECK(!listener->listen(options));
  CHECK(listener->address()->port != 0);
  openssl::FailurePtr failure;
  io::ListenOptions same = options;
  same.port = listener->address()->port;
  auto second = std::make_shared<io::Listener>(*loop.reactor, 8);
  const openssl::FailurePtr refused = second->listen(same);
  CHECK(refused && refused->system_error == EADDRINUSE);
  sockaddr_storage name{};
  auto& in = reinterpret_cast<sockaddr_in&>(name);
  in.sin_family = AF_INET;
  in.sin_port = htons(same.port);
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  io::Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  CHECK(::connect(client.get(), reinterpret_cast<sockaddr*>(&name), sizeof in) == 0);
  CHECK(loop.run_until([&] { return loop.accepted.size() == 1; }));
  const io::Fd served(loop.accepted[0]);
  listener->close();
  CHECK(!listener->listening());
  return true;
});

const Register kAdopt("what is no connected stream socket is refused", [] {
  openssl::FailurePtr failure;
  CHECK(!io::adopt_stream_socket(-1, true, failure) && failure->system_error == EBADF);
  const io::Fd file(::open("/dev/null", O_RDONLY));
  CHECK(!io::adopt_stream_socket(file.get(), false, failure) && failure->system_error == ENOTSOCK);
  const io::Fd datagram(::socket(AF_INET, SOCK_DGRAM, 0));
  CHECK(!io::adopt_stream_socket(datagram.get(), false, failure) && failure->system_error == EPROTOTYPE);
  return true;
});

}  // namespace
}  // namespace system_tls::test
