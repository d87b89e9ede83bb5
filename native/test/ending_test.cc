// How a connection ends, by halves, without a socket.
#include <cstdint>
#include <string>
#include <vector>

#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Operation;
using engine::OperationId;

const char* code_of(End& end, OperationId id) {
  const auto found = end.events.failures.find(id);
  return found == end.events.failures.end() ? "" : found->second->code.c_str();
}

bool half_broken(int version) {
  Pair pair(version);
  CHECK(pair.handshake());
  engine::Connection& server = *pair.server.connection;
  pair.client.write("the last words");
  pair.client.start(Operation::Shutdown{});
  server.fail_sending(openssl::named_failure("EPIPE", "broken"));
  const OperationId write = pair.server.write("answer");
  pair.pump();
  CHECK(std::string(code_of(pair.server, write)) == "EPIPE");
  CHECK(pair.server.events.failed_count == 0);
  const OperationId read = pair.server.read();
  const OperationId end = pair.server.read();
  server.advance();
  CHECK(pair.server.events.reads[read] == "the last words");
  CHECK(pair.server.events.ended.contains(end));
  // Nothing but the goodbye is unsaid.
  const OperationId shutdown = pair.server.start(Operation::Shutdown{});
  server.advance();
  CHECK(pair.server.events.done.contains(shutdown));
  CHECK(server.enc().out.empty());
  return true;
}

const Register kHalf12("what arrived outlives the sending half, TLS 1.2", [] { return half_broken(TLS1_2_VERSION); });
const Register kHalf13("what arrived outlives the sending half, TLS 1.3", [] { return half_broken(TLS1_3_VERSION); });

// What the one has made goes to the other.
void deliver(End& from, End& to) {
  std::vector<std::uint8_t> enc(from.connection->enc().out.size());
  from.connection->enc().out.take(enc);
  to.connection->enc().in.lend(enc);
  to.connection->advance();
  to.connection->enc().in.reclaim();
}

const Register kMeets("a close_notify that meets a renegotiation costs nothing that was written", [] {
  Pair pair(TLS1_2_VERSION);
  CHECK(pair.handshake());
  engine::Connection& client = *pair.client.connection;
  const OperationId write = pair.client.write("written before");
  const OperationId renegotiation = pair.client.start(Operation::Renegotiate{});
  client.advance();
  const std::size_t made = client.enc().out.size();
  pair.server.start(Operation::Shutdown{});
  pair.server.connection->advance();
  const OperationId end = pair.client.read();
  deliver(pair.server, pair.client);
  CHECK(pair.client.events.done.contains(write));
  CHECK(pair.client.events.ended.contains(end));
  CHECK(std::string(code_of(pair.client, renegotiation)) == "ERR_TLS_PEER_CLOSED");
  CHECK(client.enc().out.size() == made);
  const OperationId shutdown = pair.client.start(Operation::Shutdown{});
  client.advance();
  CHECK(!pair.client.events.done.contains(shutdown));
  pair.server.connection->start_flow();
  deliver(pair.client, pair.server);
  client.advance();
  CHECK(pair.server.events.flow == "written before");
  CHECK(pair.client.events.done.contains(shutdown));
  return true;
});

const Register kTickets("tickets that were lost are no failure to a reader", [] {
  for (const bool loses : {false, true}) {
    Pair pair(TLS1_3_VERSION);
    CHECK(pair.handshake());
    engine::Connection& server = *pair.server.connection;
    if (loses) pair.server.write("lost");
    server.advance();
    server.fail_sending(openssl::named_failure("EPIPE", "broken"));
    const OperationId read = pair.server.read();
    server.end_input(nullptr);
    server.advance();
    CHECK(pair.server.events.failed_count == 1);
    CHECK((std::string(code_of(pair.server, read)) == "EPIPE") == loses);
  }
  return true;
});

const Register kLost("a goodbye behind lost data fails with it", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  engine::Connection& client = *pair.client.connection;
  pair.client.write("lost");
  client.advance();
  CHECK(!client.enc().out.empty());
  client.fail_sending(openssl::named_failure("EPIPE", "broken"));
  client.fail_sending(openssl::named_failure("ECONNRESET", "later"));
  const OperationId shutdown = pair.client.start(Operation::Shutdown{});
  const OperationId update = pair.client.start(Operation::KeyUpdate{true});
  client.advance();
  CHECK(std::string(code_of(pair.client, shutdown)) == "EPIPE");
  CHECK(std::string(code_of(pair.client, update)) == "EPIPE");
  CHECK(!client.open_for_writing());
  CHECK(pair.client.events.sending_failed_count == 1);
  return true;
});

const Register kBehind("a broken transport is told behind what was read ahead, once", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  engine::Connection& server = *pair.server.connection;
  pair.client.write("ahead");
  server.fail_sending(openssl::named_failure("EPIPE", "broken"));
  pair.pump();
  CHECK(server.readable() == 5);
  server.end_input(openssl::named_failure("ECONNRESET", "reset"));
  server.advance();
  CHECK(server.dead());
  CHECK(pair.server.events.failed_count == 0);
  const OperationId write = pair.server.write("too late");
  CHECK(std::string(code_of(pair.server, write)) == "ECONNRESET");
  const OperationId read = pair.server.read();
  server.advance();
  CHECK(pair.server.events.reads[read] == "ahead");
  const OperationId behind = pair.server.read();
  server.advance();
  server.advance();
  CHECK(std::string(code_of(pair.server, behind)) == "ECONNRESET");
  CHECK(pair.server.events.failed_count == 1);
  return true;
});

const Register kAbort("an abort drops what was read ahead", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  engine::Connection& server = *pair.server.connection;
  pair.client.write("ahead");
  server.fail_sending(openssl::named_failure("EPIPE", "broken"));
  pair.pump();
  server.abort(openssl::named_failure("ERR_TLS_CLOSED", "over"));
  CHECK(pair.server.events.failed_count == 1);
  const OperationId read = pair.server.read();
  CHECK(std::string(code_of(pair.server, read)) == "ERR_TLS_CLOSED");
  return true;
});

const Register kMark("reading does not wait for what was written, whatever the mark", [] {
  engine::Limits limits;
  limits.out_mark = 1;
  Pair pair(TLS1_3_VERSION, limits);
  CHECK(pair.handshake());
  pair.client.write(std::string(64 * 1024, 'x'));
  pair.client.connection->advance();
  CHECK(!pair.client.connection->out_below_mark());
  pair.server.write("read me");
  const OperationId read = pair.client.read();
  pair.pump();
  CHECK(pair.client.events.reads[read] == "read me");
  return true;
});

}  // namespace
}  // namespace system_tls::test
