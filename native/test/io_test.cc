// Reactor, transports and channels on a loop of their own, without node.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "io/channel.h"
#include "io/listener.h"
#include "io/reactor/reactor.h"
#include "io/transports/bio_endpoint.h"
#include "io/transports/socket.h"
#include "test/check.h"
#include "test/loop.h"

namespace system_tls::test {
namespace {

using engine::Operation;
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
    CHECK(megabyte_both_ways(loop, ends));
    CHECK(loop.count(kClient, EventKind::operation_done) == 2);
  }
  return true;
});

// Most events of a kind that a target had in one iteration, until it had `total`; -1 if it never had.
int most_in_an_iteration(Loop& loop, std::int32_t target, EventKind kind, int total) {
  int most = 0;
  int before = loop.count(target, kind);
  const bool all = loop.run_until([&] {
    const int now = loop.count(target, kind);
    most = std::max(most, now - before);
    before = now;
    return now >= total;
  });
  return all ? most : -1;
}

// `units` of what `start` starts, encrypted together and sent at once; nobody reads yet.
template <typename Start>
void send_together(Loop& loop, io::Channel& from, int units, Start start) {
  for (int unit = 0; unit < units; ++unit) start(*from.connection(), static_cast<engine::OperationId>(10 + 2 * unit));
  const io::Turn turn(*loop.reactor);
  from.pump();
}

bool handshake(Loop& loop, Ends& ends) {
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(operation(1, Operation::Handshake{}), false);
    ends.server->start(operation(1, Operation::Handshake{}), false);
  }
  return loop.run_until([&] {
    return loop.count(kClient, EventKind::operation_done) == 1 && loop.count(kServer, EventKind::operation_done) == 1;
  });
}

bool start_reading(Loop& loop, io::Channel& channel) {
  const io::Turn turn(*loop.reactor);
  channel.start_flow();
  return true;
}

std::size_t unsent(const Ends& ends) { return ends.server->connection()->enc().out.size(); }

std::size_t unread(const Ends& ends) {
  int count = 0;
  return ::ioctl(ends.client->fd(), FIONREAD, &count) == 0 ? static_cast<std::size_t>(count) : 0;
}

// Calls `answer` while the end of the server's handshake is delivered, before the next poll.
bool handshake_answered(Loop& loop, Ends& ends, const std::function<void()>& answer) {
  loop.on_event = [&loop, answer](const io::Event& event) {
    const bool first = loop.count(kServer, EventKind::operation_done) == 1;
    if (!first || event.target != kServer || event.kind != EventKind::operation_done) return;
    const io::Turn turn(*loop.reactor);
    answer();
  };
  return connect_sockets(ends) && handshake(loop, ends);
}

// Of the server's end of a TLS 1.3 handshake: what it holds back while that is delivered, and what is on its way after
// `answer`.
struct Tickets {
  std::size_t held = 0;
  std::size_t sent = 0;
};

bool tickets_answered(Loop& loop, Ends& ends, Tickets& tickets, const std::function<void()>& answer) {
  return handshake_answered(loop, ends, [&ends, &tickets, answer] {
    tickets.held = unsent(ends);
    answer();
    tickets.sent = unread(ends);
  });
}

const Register kTicketsAlone("session tickets wait for an answer no longer than an iteration of the loop", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  std::size_t held = 0;
  CHECK(handshake_answered(loop, ends, [&] { held = unsent(ends); }));
  CHECK(held != 0);
  CHECK(loop.run_until([&] { return unsent(ends) == 0 && unread(ends) == held; }));
  return true;
});

const Register kTicketsWithAnswer("session tickets go with the first answer", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  Tickets tickets;
  CHECK(tickets_answered(loop, ends, tickets, [&] { ends.server->start(write_operation(2, "answer")); }));
  CHECK(tickets.held != 0 && tickets.sent > tickets.held && unsent(ends) == 0);
  CHECK(start_reading(loop, *ends.client));
  CHECK(loop.run_until([&] { return loop.received[kClient] == "answer"; }));
  return true;
});

const Register kTicketsBeforeClose("session tickets are sent before the connection is closed", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  Tickets tickets;
  CHECK(tickets_answered(loop, ends, tickets, [&] { ends.server->close(); }));
  CHECK(tickets.held != 0 && tickets.sent == tickets.held);
  return true;
});

const Register kLastFlight("what the client waits for is not held: the last flight of TLS 1.2", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_2_VERSION);
  std::size_t held = 1;
  CHECK(handshake_answered(loop, ends, [&] { held = unsent(ends); }));
  CHECK(held == 0);
  return true;
});

// Memory of the reader's own, which counts how it is filled.
class Memory : public engine::ClearTarget {
 public:
  std::span<std::uint8_t> room() override { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_ = std::vector<std::uint8_t>(4096);
};

// Its event can only be recorded for the delivery after the one that the reading began in.
const Register kFilledInDelivery("memory that is filled while events are delivered is filled again", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_2_VERSION);
  ends.client->connection()->set_flow_target(std::make_unique<Memory>());
  loop.on_event = [&](const io::Event& event) {
    if (event.target == kClient && event.kind == EventKind::operation_done) start_reading(loop, *ends.client);
  };
  CHECK(connect_sockets(ends));
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(operation(1, Operation::Handshake{}), false);
    ends.server->start(write_operation(2, "with Finished"), false);
    ends.server->start(operation(1, Operation::Handshake{}), false);
  }
  CHECK(loop.run_until([&] { return loop.count(kClient, EventKind::data) == 1; }));
  for (int more = 0; more < 3; ++more) {
    const io::Turn turn(*loop.reactor);
    ends.server->start(write_operation(static_cast<engine::OperationId>(3 + more), "later"));
  }
  const auto told = [&] { return loop.count(kClient, EventKind::data) > 1; };
  CHECK(loop.run_until(told));
  return true;
});

const Register kFairUpdates("KeyUpdates by the thousand are spread over iterations of the loop", [] {
  constexpr int kUnits = 1200;
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  CHECK(connect_sockets(ends) && handshake(loop, ends));
  // A byte of data before each, so that none is too many in a row.
  send_together(loop, *ends.client, kUnits, [](engine::Connection& connection, engine::OperationId id) {
    connection.start(operation(id, Operation::KeyUpdate{}));
    connection.start(write_operation(id + 1, "x"));
  });
  CHECK(start_reading(loop, *ends.server));
  const int most = most_in_an_iteration(loop, kServer, EventKind::key_update, kUnits);
  CHECK(most > 0 && most <= 100);
  CHECK(loop.run_until([&] { return loop.received[kServer].size() == kUnits; }));
  CHECK(!ends.server->connection()->dead());
  return true;
});

const Register kFairRecords("records of one byte by the thousand are spread over iterations of the loop", [] {
  constexpr int kUnits = 2000;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Loop loop;
    Ends ends = make_ends(loop, version);
    CHECK(connect_sockets(ends) && handshake(loop, ends));
    send_together(loop, *ends.client, kUnits, [](engine::Connection& connection, engine::OperationId id) {
      connection.start(write_operation(id, "x"));
    });
    std::size_t before = 0;
    std::size_t most = 0;
    CHECK(start_reading(loop, *ends.server));
    CHECK(loop.run_until([&] {
      const std::size_t now = loop.received[kServer].size();
      most = std::max(most, now - before);
      before = now;
      return now == kUnits;
    }));
    CHECK(most <= 600);
  }
  return true;
});

const Register kFairEnd("what was put off is neither lost nor read after the connection is closed", [] {
  for (const bool closes : {false, true}) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_3_VERSION);
    CHECK(connect_sockets(ends) && handshake(loop, ends));
    send_together(loop, *ends.client, 1500, [](engine::Connection& connection, engine::OperationId id) {
      connection.start(write_operation(id, "x"));
    });
    {
      const io::Turn turn(*loop.reactor);
      ends.client->start(operation(9000, Operation::Shutdown{}), false);
      ends.client->close();
    }
    CHECK(start_reading(loop, *ends.server));
    CHECK(loop.run_until([&] { return loop.received[kServer].size() >= 500; }));
    if (closes) {
      const io::Turn turn(*loop.reactor);
      ends.server->close();
      const std::size_t seen = loop.received[kServer].size();
      int turns = 0;
      loop.run_until([&] { return turns++ == 20; });
      CHECK(loop.received[kServer].size() <= seen + 600);
    } else {
      CHECK(loop.run_until([&] { return loop.count(kServer, EventKind::end) == 1; }));
      CHECK(loop.received[kServer].size() == 1500);
    }
  }
  return true;
});

const Register kFairWrites("a write that its transport takes whole is spread over iterations of the loop", [] {
  constexpr std::size_t kSize = 32 << 20;
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  const auto there = io::BioEndpoint::memory(*loop.reactor);
  const auto back = io::BioEndpoint::memory(*loop.reactor);
  {
    const io::Turn turn(*loop.reactor);
    ends.client->set_bios(back, there);
    ends.server->set_bios(there, back);
  }
  CHECK(handshake(loop, ends));
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(write_operation(2, std::string(kSize, 'x')), false);
  }
  CHECK(loop.count(kClient, EventKind::operation_done) == 1);
  int iterations = 0;
  CHECK(loop.run_until([&] {
    ++iterations;
    return loop.count(kClient, EventKind::operation_done) == 2;
  }));
  CHECK(iterations > 10);
  CHECK(start_reading(loop, *ends.server));
  CHECK(loop.run_until([&] { return loop.received[kServer].size() == kSize; }));
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
      ends.client->start(operation(1, Operation::Handshake{}));
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
    CHECK(server_vanishes(loop, ends, after));
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
      ends.client->start(operation(1, Operation::Handshake{}));
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

// What an end of a pair tells: a watcher records, as a reactor's turn demands.
struct Listening : io::BioEndpoint::Watcher {
  int readable_count = 0;
  int drained_count = 0;
  void readable() override { ++readable_count; }
  void drained() override { ++drained_count; }
};

const Register kPairEnds("an end of a BIO pair outlives the other, and hears of room and of its going", [] {
  Loop loop;
  auto [near, far] = io::BioEndpoint::pair(*loop.reactor, 10);
  Listening watcher;
  near->set_watcher(&watcher);
  const std::vector<std::uint8_t> bytes(20, 7);
  CHECK(near->write(bytes) == 10);
  std::vector<std::uint8_t> got(4);
  CHECK(far->read(got) == 4 && watcher.drained_count == 1);
  CHECK(!near->unread() && !far->far_ended());
  far->ignore();
  CHECK(near->unread() && watcher.drained_count == 2);
  CHECK(far->write(bytes) == 10 && watcher.readable_count == 1);
  far->end();
  far.reset();
  CHECK(watcher.readable_count == 2);
  CHECK(near->far_ended() && !near->at_end() && near->pending() == 10);
  got.resize(100);
  CHECK(near->read(got) == 10 && near->at_end());
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
  const auto served = loop.reactor->offered()->take(loop.accepted[0]);
  CHECK(served && served->peer.address()->text == "127.0.0.1");
  CHECK(!loop.reactor->offered()->take(served->fd.get()));
  // A second one, which nobody takes.
  io::Fd another(::socket(AF_INET, SOCK_STREAM, 0));
  CHECK(::connect(another.get(), reinterpret_cast<sockaddr*>(&name), sizeof in) == 0);
  CHECK(loop.run_until([&] { return loop.accepted.size() == 2; }));
  CHECK(::fcntl(loop.accepted[1], F_GETFD) >= 0);
  listener->close();
  CHECK(::fcntl(loop.accepted[1], F_GETFD) < 0 && ::fcntl(served->fd.get(), F_GETFD) >= 0);
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
