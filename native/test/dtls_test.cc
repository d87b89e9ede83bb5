// DTLS without node: the engine with a datagram at a time, and the transports that carry them.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <vector>

#include "io/transports/bio_endpoint.h"
#include "io/transports/fd.h"
#include "io/transports/socket.h"
#include "test/check.h"
#include "test/loop.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Operation;
using engine::OperationId;
using io::EventKind;
using Datagram = std::vector<std::uint8_t>;

std::vector<Datagram> take(End& from) {
  std::vector<Datagram> taken;
  from.connection->advance();
  engine::EncSide& enc = from.connection->enc();
  for (std::size_t size = enc.datagrams->next(); size != 0; size = enc.datagrams->next()) {
    Datagram& datagram = taken.emplace_back(size);
    enc.out.take(datagram);
    enc.datagrams->sent();
  }
  return taken;
}

void give(End& to, const Datagram& datagram) {
  if (!to.connection->wants_input()) return;
  to.connection->enc().in.lend(datagram);
  to.connection->advance();
  to.connection->enc().in.reclaim();
}

void exchange(Pair& pair) {
  for (bool moved = true; moved;) {
    const std::vector<Datagram> there = take(pair.client);
    for (const Datagram& datagram : there) give(pair.server, datagram);
    const std::vector<Datagram> back = take(pair.server);
    for (const Datagram& datagram : back) give(pair.client, datagram);
    moved = !there.empty() || !back.empty();
  }
}

bool shake(Pair& pair) {
  pair.client.start(Operation::Handshake{});
  pair.server.start(Operation::Handshake{});
  exchange(pair);
  return pair.client.connection->established() && pair.server.connection->established();
}

const Register kMessages("DTLS: messages stay apart, read ahead or waited for, in parts where the reader is short", [] {
  Pair pair(DTLS1_2_VERSION);
  CHECK(shake(pair));
  for (const char* text : {"one", "two", "three"}) pair.client.write(text);
  exchange(pair);
  CHECK(pair.server.connection->readable() == 11);
  const OperationId first = pair.server.read();
  const OperationId part = pair.server.read(2);
  const OperationId rest = pair.server.read();
  const OperationId third = pair.server.read();
  const OperationId fourth = pair.server.read();
  pair.server.connection->advance();
  CHECK(pair.server.events.reads[first] == "one");
  CHECK(pair.server.events.reads[part] == "tw");
  CHECK(pair.server.events.reads[rest] == "o");
  CHECK(pair.server.events.reads[third] == "three");
  pair.client.write("four");
  pair.client.write("five");
  exchange(pair);
  CHECK(pair.server.events.reads[fourth] == "four");
  CHECK(pair.server.connection->readable() == 4);
  return true;
});

const Register kTooLong("DTLS: a message that is no single record is refused, and nothing else happens", [] {
  Pair pair(DTLS1_2_VERSION);
  CHECK(shake(pair));
  const OperationId refused = pair.client.write(std::string(16'385, 'x'));
  const OperationId taken = pair.client.write(std::string(16'384, 'x'));
  CHECK(take(pair.client).size() == 1);
  CHECK(pair.client.events.failures.contains(refused));
  CHECK(pair.client.events.done.contains(taken));
  CHECK(!pair.client.connection->dead());
  return true;
});

const Register kDamaged("DTLS: damaged, cut, repeated and invented datagrams change nothing", [] {
  std::mt19937 random(4711);
  Pair pair(DTLS1_2_VERSION);
  CHECK(shake(pair));
  for (int round = 0; round < 300; ++round) {
    pair.client.write("message " + std::to_string(round));
    const std::vector<Datagram> sent = take(pair.client);
    CHECK(sent.size() == 1);
    Datagram damaged = sent[0];
    damaged[random() % damaged.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    Datagram cut(sent[0].begin(), sent[0].begin() + static_cast<std::ptrdiff_t>(random() % sent[0].size()));
    Datagram invented(1 + random() % 60'000);
    for (std::uint8_t& byte : invented) byte = static_cast<std::uint8_t>(random());
    if (!cut.empty()) give(pair.server, cut);
    give(pair.server, invented);
    // An epoch or a sequence number from the future is no damage that a message with this number would survive.
    if (damaged[0] == sent[0][0] && std::equal(damaged.begin(), damaged.begin() + 13, sent[0].begin())) {
      give(pair.server, damaged);
    }
    give(pair.server, sent[0]);
    give(pair.server, sent[0]);
    const OperationId read = pair.server.read();
    pair.server.connection->advance();
    CHECK(pair.server.events.reads[read] == "message " + std::to_string(round));
    CHECK(pair.server.connection->readable() == 0);
  }
  CHECK(!pair.server.connection->dead());
  return true;
});

Datagram forged_record(std::size_t length) {
  Datagram record = {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 0};
  record.push_back(static_cast<std::uint8_t>(length >> 8));
  record.push_back(static_cast<std::uint8_t>(length & 0xff));
  record.resize(record.size() + length, 1);
  return record;
}

// One that is longer than was agreed on (RFC 6066 section 4) loses its header alone in libssl.
const Register kHidden("DTLS: a record that is too short ends nothing, not within one that is too long either", [] {
  Pair pair(DTLS1_2_VERSION);
  CHECK(SSL_set_tlsext_max_fragment_length(pair.client.connection->ssl(), TLSEXT_max_fragment_length_512) == 1);
  CHECK(shake(pair));
  Datagram hiding = forged_record(1500);
  const Datagram hidden = forged_record(1);
  std::copy(hidden.begin(), hidden.end(), hiding.begin() + 13);
  for (End* end : {&pair.server, &pair.client}) {
    give(*end, hidden);
    give(*end, hiding);
    CHECK(!end->connection->dead());
  }
  const OperationId read = pair.server.read();
  pair.client.write(std::string(400, 'x'));
  exchange(pair);
  CHECK(pair.server.events.reads[read] == std::string(400, 'x'));
  return true;
});

const Register kRenegotiation("DTLS: renegotiation by either side", [] {
  Pair pair(DTLS1_2_VERSION);
  SSL_set_options(pair.server.connection->ssl(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  CHECK(shake(pair));
  for (End* end : {&pair.client, &pair.server}) {
    const OperationId id = end->start(Operation::Renegotiate{});
    exchange(pair);
    CHECK(end->events.done.contains(id));
  }
  CHECK(pair.client.connection->renegotiations() == 2);
  CHECK(pair.server.connection->renegotiations() == 2);
  return true;
});

const Register kSockets("DTLS: two channels on a pair of datagram sockets, and the timer of one that is alone", [] {
  Loop loop;
  Ends ends = make_ends(loop, DTLS1_2_VERSION);
  int fds[2];
  CHECK(::socketpair(AF_UNIX, SOCK_DGRAM, 0, fds) == 0);
  openssl::FailurePtr failure;
  io::Fd client = io::adopt_datagram_socket(fds[0], true, failure);
  io::Fd server = io::adopt_datagram_socket(fds[1], true, failure);
  CHECK(client && server);
  {
    const io::Turn turn(*loop.reactor);
    CHECK(!ends.client->set_socket(client, true));
    ends.client->start(operation(1, Operation::Handshake{}), false);
  }
  // The first ClientHello waits in the socket; the second follows after a second.
  const auto begin = std::chrono::steady_clock::now();
  CHECK(loop.run_until([&] { return std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(1200); }));
  {
    const io::Turn turn(*loop.reactor);
    CHECK(!ends.server->set_socket(server, true));
    ends.server->start(operation(1, Operation::Handshake{}), false);
  }
  CHECK(loop.run_until([&] { return loop.count(kServer, EventKind::operation_done) == 1; }));
  {
    const io::Turn turn(*loop.reactor);
    ends.server->start_flow();
    for (engine::OperationId id = 2; id < 12; ++id) ends.client->start(write_operation(id, "0123456789"), false);
  }
  CHECK(loop.run_until([&] { return loop.received[kServer].size() == 100; }));
  CHECK(loop.count(kServer, EventKind::data) == 10);
  return true;
});

const Register kLongDatagram("DTLS: a datagram that is longer than the memory for it is cut, on BIOs too", [] {
  Loop loop;
  Ends ends = make_ends(loop, DTLS1_2_VERSION);
  const auto there = io::BioEndpoint::memory(*loop.reactor);
  const auto back = io::BioEndpoint::memory(*loop.reactor);
  {
    const io::Turn turn(*loop.reactor);
    ends.client->set_bios(back, there);
    ends.server->set_bios(there, back);
    ends.server->start(operation(1, Operation::Handshake{}), false);
    std::vector<std::uint8_t> framed(2 + 65'535, 22);
    framed[0] = framed[1] = 0xff;
    there->write(framed);
  }
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(operation(1, Operation::Handshake{}), false);
  }
  CHECK(loop.run_until([&] { return loop.count(kClient, EventKind::operation_done) == 1; }));
  CHECK(loop.count(kServer, EventKind::failed) == 0);
  return true;
});

}  // namespace
}  // namespace system_tls::test
