// The engine alone, in memory: every piece size, every order, no clock and no system call.
#include <openssl/ssl3.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <random>
#include <string>

#include "openssl/context/context.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Operation;
using engine::OperationId;

constexpr std::size_t kFragments[] = {1, 7, 1000, 1 << 20};

std::string text(std::size_t size, char seed = 'a') {
  std::string bytes(size, seed);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(seed + static_cast<char>(i % 23));
  return bytes;
}

bool data_both_ways(int version) {
  for (const std::size_t fragment : kFragments) {
    Pair pair(version);
    CHECK(pair.handshake(fragment));
    const std::string sent = text(fragment == 1 ? 20'000 : 300'000);
    const OperationId write = pair.client.write(sent);
    pair.server.write("back");
    const OperationId read = pair.client.read();
    pair.server.connection->start_flow();
    pair.pump(fragment);
    CHECK(pair.client.events.done.contains(write));
    CHECK(pair.server.events.flow == sent);
    CHECK(pair.client.events.reads[read] == "back");
  }
  return true;
}

const Register kData12("data both ways, TLS 1.2, all fragment sizes", [] { return data_both_ways(TLS1_2_VERSION); });
const Register kData13("data both ways, TLS 1.3, all fragment sizes", [] { return data_both_ways(TLS1_3_VERSION); });

// A socket that gives so many bytes at a call.
class Supply : public engine::EncSource {
 public:
  Supply(std::vector<std::uint8_t> bytes, std::size_t fragment) : bytes_(std::move(bytes)), fragment_(fragment) {}
  engine::Moved draw(std::span<std::uint8_t> to, std::span<std::uint8_t> ahead) override {
    ++calls;
    engine::Moved drawn;
    drawn.bytes = take(to) + take(ahead);
    drawn.eof = drawn.bytes == 0 && ends;
    if (drawn.bytes == 0 && breaks) drawn.failure = openssl::named_failure("broken", "");
    left_ = fragment_;
    return drawn;
  }
  bool empty() const { return at_ == bytes_.size(); }
  int calls = 0;
  bool ends = false;
  bool breaks = false;

 private:
  std::size_t take(std::span<std::uint8_t> to) {
    const std::size_t count = std::min({to.size(), bytes_.size() - at_, left_});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at_), count, to.begin());
    at_ += count;
    left_ -= count;
    return count;
  }

  std::vector<std::uint8_t> bytes_;
  std::size_t fragment_;
  std::size_t left_ = fragment_;
  std::size_t at_ = 0;
};

Supply supply_of(Pair& pair, const std::string& sent, std::size_t fragment) {
  pair.client.write(sent);
  std::vector<std::uint8_t> records;
  engine::ByteQueue& out = pair.client.connection->enc().out;
  do {
    pair.client.connection->advance();
    const std::size_t before = records.size();
    records.resize(before + out.size());
    out.take(std::span(records).subspan(before));
  } while (pair.client.connection->can_advance());
  return {std::move(records), fragment};
}

void draw(Pair& pair, Supply& supply, std::size_t most) {
  engine::EncIn& in = pair.server.connection->enc().in;
  in.draw_from(supply, most);
  pair.server.connection->advance();
  in.reclaim();
}

bool drawn_records(int version) {
  for (const std::size_t fragment : {std::size_t{1}, std::size_t{7}, std::size_t{16'500}, std::size_t{1} << 20}) {
    for (const std::size_t most : {std::size_t{1}, std::size_t{20'000}, std::size_t{128} * 1024}) {
      Pair pair(version);
      CHECK(pair.handshake());
      pair.server.connection->start_flow();
      const std::string sent = text(fragment < 10 ? 40'000 : 300'000) + "!";
      Supply supply = supply_of(pair, sent, fragment);
      for (std::size_t turn = 0; turn < 2 * sent.size() && !supply.empty(); ++turn) draw(pair, supply, most);
      CHECK(pair.server.events.flow == sent);
      CHECK(pair.server.connection->enc().in.size() == 0);
    }
  }
  return true;
}

const Register kDrawn12("large records drawn from a socket in any pieces, TLS 1.2",
                        [] { return drawn_records(TLS1_2_VERSION); });
const Register kDrawn13("large records drawn from a socket in any pieces, TLS 1.3",
                        [] { return drawn_records(TLS1_3_VERSION); });

const Register kDrawnOnce("a record is drawn with the header of the next one in a single call", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  Supply supply = supply_of(pair, text(160 * 1024), std::size_t{1} << 20);
  draw(pair, supply, std::size_t{1} << 20);
  CHECK(pair.server.events.flow.size() == 160 * 1024);
  CHECK(supply.calls == 1 + 10);
  return true;
});

const Register kDrawnSmall("small records end the drawing, and are left to the buffer", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  for (int i = 0; i < 9; ++i) pair.client.write("small");
  Supply supply = supply_of(pair, "small", std::size_t{1} << 20);
  draw(pair, supply, std::size_t{1} << 20);
  CHECK(supply.calls == 1);
  return true;
});

const Register kDrawnEnd("the end and the failure of a socket that is drawn from are told", [] {
  for (const bool breaks : {false, true}) {
    Pair pair(TLS1_3_VERSION);
    CHECK(pair.handshake());
    pair.server.connection->start_flow();
    Supply supply = supply_of(pair, text(50'000), std::size_t{1} << 20);
    supply.ends = !breaks;
    supply.breaks = breaks;
    for (int turn = 0; turn < 3; ++turn) draw(pair, supply, std::size_t{1} << 20);
    CHECK(pair.server.events.flow.size() == 50'000);
    CHECK(pair.server.events.failed_count == 1);
    CHECK((pair.server.connection->enc().in.failure() != nullptr) == breaks);
  }
  return true;
});

const Register kIdle("an idle connection holds no buffer", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  pair.client.write(text(100'000));
  pair.pump();
  CHECK(pair.client.connection->enc().out.empty());
  CHECK(pair.client.connection->enc().out.front().empty());
  CHECK(pair.server.connection->enc().in.size() == 0);
  return true;
});

const Register kKeylog("OpenSSL writes key log lines from the first connection on that wants them", [] {
  const auto keylog = [](const SSL*, const char*) {};
  const openssl::ContextResult made = openssl::Context::create({}, {keylog, nullptr});
  CHECK(made.context != nullptr);
  SSL_CTX* context = made.context->get();
  engine::ChunkPool pool;
  Recorder events;
  openssl::FailurePtr failure;
  engine::ConnectionOptions options;
  options.server = true;
  const auto connection = engine::Connection::create(made.context->new_ssl(true), options, pool, events, failure);
  CHECK(connection != nullptr);
  connection->observe(engine::kObserveMessage | engine::kObserveInfo | engine::kObserveSession);
  CHECK(SSL_CTX_get_keylog_callback(context) == nullptr);
  connection->observe(engine::kObserveKeylog);
  CHECK(SSL_CTX_get_keylog_callback(context) == static_cast<SSL_CTX_keylog_cb_func>(keylog));
  // Others of the context may still want them.
  connection->observe(0);
  CHECK(SSL_CTX_get_keylog_callback(context) != nullptr);
  return true;
});

const Register kKeyUpdate("key updates in both directions, crossing, between writes", [] {
  for (const std::size_t fragment : kFragments) {
    Pair pair(TLS1_3_VERSION);
    CHECK(pair.handshake(fragment));
    pair.server.connection->start_flow();
    pair.client.connection->start_flow();
    pair.client.write("one ");
    const OperationId requested = pair.client.start(Operation::KeyUpdate{true});
    const OperationId crossing = pair.server.start(Operation::KeyUpdate{true});
    const OperationId plain = pair.client.start(Operation::KeyUpdate{false});
    pair.client.write("two");
    pair.pump(fragment);
    CHECK(pair.client.events.done.contains(requested) && pair.client.events.done.contains(plain));
    CHECK(pair.server.events.done.contains(crossing));
    CHECK(pair.client.events.peer_updated_count == 1 && pair.server.events.peer_updated_count == 1);
    CHECK(pair.server.events.peer_key_updates == pair.client.events.own_key_updates);
    CHECK(pair.server.events.flow == "one two");
  }
  return true;
});

const Register kStorm("a storm of key updates ends the connection and not the loop", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  for (int i = 0; i < 1000; ++i) pair.client.start(Operation::KeyUpdate{false});
  pair.pump();
  CHECK(pair.server.connection->dead());
  CHECK(pair.server.events.failure->code == "ERR_TLS_TOO_MANY_KEY_UPDATES");
  CHECK(pair.server.events.peer_key_updates < 100);
  return true;
});

const Register kAnswers("answers to our requests are no storm, and each request excuses one", [] {
  engine::Limits limits;
  limits.key_updates = 4;
  Pair pair(TLS1_3_VERSION, limits);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  pair.client.connection->start_flow();
  for (int i = 0; i < 12; ++i) {
    pair.client.start(Operation::KeyUpdate{true});
    pair.pump();
    pair.client.write("data");
    pair.pump();
  }
  CHECK(!pair.client.connection->dead());
  CHECK(!pair.server.connection->dead());
  for (int i = 0; i < 5; ++i) pair.server.start(Operation::KeyUpdate{false});
  pair.pump();
  CHECK(pair.client.connection->dead());
  CHECK(pair.client.events.failure->code == "ERR_TLS_TOO_MANY_KEY_UPDATES");
  return true;
});

// As a peer that keeps no rule: as many requests as it likes, answered or not, and nothing read between them.
bool ask_for_keys(End& end, int times) {
  SSL* ssl = end.connection->ssl();
  for (int i = 0; i < times; ++i) {
    if (SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) != 1 || SSL_do_handshake(ssl) != 1) return false;
  }
  return true;
}

const Register kRequests("requests of a peer that got no data are a storm", [] {
  for (const int times : {32, 33}) {
    Pair pair(TLS1_3_VERSION);
    CHECK(pair.handshake());
    pair.server.connection->start_flow();
    CHECK(ask_for_keys(pair.client, times));
    pair.pump();
    CHECK(pair.server.connection->dead() == (times == 33));
  }
  return true;
});

const Register kExcusedRequests("each record of data excuses one request, and no more than that", [] {
  constexpr int kRecords = 200;
  for (const int times : {kRecords + 32, kRecords + 33}) {
    Pair pair(TLS1_3_VERSION);
    CHECK(pair.handshake());
    pair.server.connection->start_flow();
    pair.client.connection->start_flow();
    for (int i = 0; i < kRecords; ++i) pair.server.write("data");
    pair.pump();
    CHECK(ask_for_keys(pair.client, times));
    pair.pump();
    CHECK(pair.server.connection->dead() == (times == kRecords + 33));
  }
  return true;
});

const Register kBoundedExcuses("however much data there was, requests are excused up to a bound", [] {
  constexpr int kBound = 16 * 1024;
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  pair.client.connection->start_flow();
  for (int i = 0; i < kBound + 1000; ++i) pair.server.write("x");
  pair.pump();
  CHECK(ask_for_keys(pair.client, kBound + 32));
  pair.pump();
  CHECK(!pair.server.connection->dead());
  CHECK(ask_for_keys(pair.client, 1));
  pair.pump();
  CHECK(pair.server.events.failure->code == "ERR_TLS_TOO_MANY_KEY_UPDATES");
  return true;
});

const Register kCrossingRequests("a request of ours does not excuse the peer's own requests", [] {
  engine::Limits limits;
  limits.key_updates = 8;
  Pair pair(TLS1_3_VERSION, limits);
  CHECK(pair.handshake());
  pair.client.start(Operation::KeyUpdate{true});
  pair.client.connection->advance();
  CHECK(ask_for_keys(pair.server, 20));
  pair.client.connection->start_flow();
  pair.pump();
  CHECK(pair.client.events.failure->code == "ERR_TLS_TOO_MANY_KEY_UPDATES");
  CHECK(pair.client.events.peer_key_updates == 9);
  return true;
});

const Register kHiddenEnd("an end between two records may stand for close_notify, in the middle of one it does not",
                          [] {
                            for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
                              Pair pair(version);
                              CHECK(pair.handshake());
                              pair.pump();
                              pair.client.write("hello");
                              pair.client.connection->advance();
                              engine::ByteQueue& out = pair.client.connection->enc().out;
                              std::vector<std::uint8_t> record(out.size());
                              out.take(record);
                              for (std::size_t count = 0; count <= record.size(); ++count) {
                                Pair cut(version);
                                CHECK(cut.handshake());
                                cut.pump();
                                cut.server.connection->set_strict_end(false);
                                cut.client.write("hello");
                                cut.client.connection->advance();
                                std::vector<std::uint8_t> bytes(count);
                                cut.client.connection->enc().out.take(bytes);
                                const OperationId read = cut.server.read();
                                const OperationId after = cut.server.read();
                                engine::EncIn& in = cut.server.connection->enc().in;
                                if (count != 0) in.lend(bytes);
                                in.set_eof();
                                cut.server.connection->advance();
                                const bool whole = count == 0 || count == record.size();
                                CHECK(cut.server.connection->dead() != whole);
                                CHECK(cut.server.events.ended.contains(after) == whole);
                                CHECK((cut.server.events.reads[read] == "hello") == (count == record.size()));
                                // The sending half goes on.
                                if (whole)
                                  CHECK(cut.server.events.failures.empty() &&
                                        cut.server.connection->open_for_writing());
                              }
                            }
                            return true;
                          });

const Register kKeyUpdateMisuse("a key update out of place is an error and nothing else", [] {
  Pair pair(TLS1_2_VERSION);
  const OperationId early = pair.client.start(Operation::KeyUpdate{});
  pair.client.connection->advance();
  CHECK(pair.client.events.failures.contains(early));
  CHECK(pair.handshake());
  const OperationId late = pair.client.start(Operation::KeyUpdate{});
  pair.pump();
  CHECK(pair.client.events.failures[late]->errors[0].reason == SSL_R_WRONG_SSL_VERSION);
  CHECK(!pair.client.connection->dead());
  return true;
});

const Register kRenegotiateServer("a server's renegotiation, with data crossing it", [] {
  for (const std::size_t fragment : kFragments) {
    Pair pair(TLS1_2_VERSION);
    CHECK(pair.handshake(fragment));
    pair.server.connection->start_flow();
    pair.client.connection->start_flow();
    const OperationId request = pair.server.start(Operation::Renegotiate{});
    pair.server.connection->advance();
    pair.server.write("from server");
    pair.client.write("from client");
    pair.pump(fragment);
    CHECK(pair.server.events.done.contains(request));
    CHECK(pair.client.events.renegotiated_count == 1 && pair.server.events.renegotiated_count == 1);
    CHECK(pair.client.events.flow == "from server");
    CHECK(pair.server.events.flow == "from client");
  }
  return true;
});

bool client_renegotiates(bool abbreviated) {
  for (const std::size_t fragment : kFragments) {
    Pair pair(TLS1_2_VERSION);
    SSL_set_options(pair.server.connection->ssl(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    CHECK(pair.handshake(fragment));
    pair.server.connection->start_flow();
    pair.server.write("crossing");
    const OperationId request = pair.client.start(Operation::Renegotiate{abbreviated});
    pair.client.write("behind it");
    pair.pump(fragment);
    CHECK(pair.client.events.done.contains(request));
    CHECK((SSL_session_reused(pair.client.connection->ssl()) != 0) == abbreviated);
    CHECK(pair.server.events.flow == "behind it");
    const OperationId read = pair.client.read();
    pair.pump(fragment);
    CHECK(pair.client.events.reads[read] == "crossing");
  }
  return true;
}

const Register kFull("a client's full renegotiation, with data crossing it", [] { return client_renegotiates(false); });
const Register kAbbreviated("a client's abbreviated renegotiation, with data crossing it",
                            [] { return client_renegotiates(true); });

const Register kLimit("renegotiations beyond the limit end the connection", [] {
  engine::Limits limits;
  limits.renegotiations = 2;
  Pair pair(TLS1_2_VERSION, limits);
  SSL_set_options(pair.server.connection->ssl(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  for (int i = 0; i < 3; ++i) pair.client.start(Operation::Renegotiate{});
  pair.pump();
  CHECK(pair.client.events.renegotiated_count == 2);
  CHECK(pair.server.events.failure->code == "ERR_TLS_TOO_MANY_RENEGOTIATIONS");
  return true;
});

const Register kRefused("a refused renegotiation is a named error and the connection's end", [] {
  Pair pair(TLS1_2_VERSION);
  CHECK(pair.handshake());
  pair.server.connection->start_flow();
  const OperationId request = pair.client.start(Operation::Renegotiate{});
  pair.pump();
  CHECK(pair.client.events.failures[request]->errors[0].reason == SSL_R_NO_RENEGOTIATION);
  CHECK(pair.client.connection->dead());
  return true;
});

const Register kShutdown("a two-way shutdown with data in flight", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  pair.server.write("last words");
  pair.server.connection->advance();
  const OperationId shutdown = pair.client.start(Operation::Shutdown{true});
  pair.server.connection->start_flow();
  pair.pump();
  CHECK(!pair.client.events.done.contains(shutdown));
  CHECK(pair.server.events.ended[engine::kFlow]);
  pair.server.start(Operation::Shutdown{false});
  pair.pump();
  CHECK(pair.client.events.done.contains(shutdown));
  const OperationId read = pair.client.read();
  const OperationId after = pair.client.read();
  pair.pump();
  CHECK(pair.client.events.reads[read] == "last words");
  CHECK(pair.client.events.ended[after]);
  return true;
});

const Register kQuietShutdown("a quiet shutdown sends nothing and ends what waits for the peer", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Pair pair(version);
    CHECK(pair.handshake());
    SSL_set_quiet_shutdown(pair.client.connection->ssl(), 1);
    const OperationId read = pair.client.read();
    const OperationId shutdown = pair.client.start(Operation::Shutdown{true});
    pair.client.connection->advance();
    CHECK(pair.client.events.done.contains(shutdown));
    CHECK(pair.client.events.ended[read]);
    CHECK(pair.client.connection->enc().out.empty());
    CHECK(!pair.client.connection->wants_input());
  }
  return true;
});

const Register kSetShutdown("the shutdown state is set between operations alone, and nothing is taken back", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.client.connection->set_shutdown(SSL_SENT_SHUTDOWN)->errors[0].reason == SSL_R_SHUTDOWN_WHILE_IN_INIT);
  CHECK(pair.handshake());
  pair.client.write(text(1'000'000));
  pair.client.connection->advance();
  CHECK(pair.client.connection->set_shutdown(SSL_SENT_SHUTDOWN)->errors[0].reason == SSL_R_BAD_WRITE_RETRY);
  pair.server.connection->start_flow();
  pair.pump();
  CHECK(pair.server.events.flow.size() == 1'000'000);
  const OperationId waiting = pair.client.read();
  CHECK(!pair.client.connection->set_shutdown(SSL_SENT_SHUTDOWN));
  CHECK(!pair.client.connection->set_shutdown(SSL_RECEIVED_SHUTDOWN));
  CHECK(!pair.client.connection->set_shutdown(0));
  CHECK(SSL_get_shutdown(pair.client.connection->ssl()) == (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN));
  pair.client.connection->advance();
  CHECK(pair.client.events.ended[waiting]);
  const OperationId late = pair.client.write("late");
  pair.pump();
  CHECK(pair.client.events.failures[late]->errors[0].reason == SSL_R_PROTOCOL_IS_SHUTDOWN);
  return true;
});

const Register kTruncation("a truncation is never a clean end", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  const OperationId read = pair.client.read();
  pair.client.connection->enc().in.set_eof();
  pair.client.connection->advance();
  CHECK(!pair.client.events.ended.contains(read));
  CHECK(pair.client.events.failures[read]->errors[0].reason == SSL_R_UNEXPECTED_EOF_WHILE_READING);
  CHECK(pair.client.events.failed_count == 1);
  return true;
});

const Register kOrder("operations end in the order in which they were started", [] {
  Pair pair(TLS1_3_VERSION);
  pair.client.start(Operation::Handshake{});
  pair.client.write(text(200'000));
  pair.client.start(Operation::KeyUpdate{});
  pair.client.write("x");
  pair.client.start(Operation::Shutdown{});
  pair.server.connection->start_flow();
  pair.pump(1000);
  CHECK((pair.client.events.order == std::vector<OperationId>{1, 2, 3, 4, 5}));
  CHECK(pair.server.events.flow.size() == 200'001);
  return true;
});

const Register kMany("ten thousand writes wait their turn", [] {
  Pair pair(TLS1_3_VERSION);
  CHECK(pair.handshake());
  for (int i = 0; i < 10'000; ++i) pair.client.write("0123456789");
  pair.server.connection->start_flow();
  pair.pump();
  CHECK(pair.server.events.flow.size() == 100'000);
  CHECK(pair.client.events.done.size() == 10'001);
  return true;
});

// Any bytes, at any moment: an error with a name, never a crash. The seed is fixed, so that a failure can be repeated.
const Register kGarbage("damaged records", [] {
  std::mt19937 random(20260101);
  for (int round = 0; round < 400; ++round) {
    Pair pair(round % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION);
    const bool in_handshake = round % 3 == 0;
    if (!in_handshake) {
      CHECK(pair.handshake());
    } else {
      pair.client.start(Operation::Handshake{});
      pair.server.start(Operation::Handshake{});
    }
    const OperationId read = pair.server.read();
    pair.client.write(text(5000));
    pair.client.connection->advance();
    std::vector<std::uint8_t> bytes(pair.client.connection->enc().out.size());
    pair.client.connection->enc().out.take(bytes);
    bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    pair.server.connection->enc().in.lend(bytes);
    pair.server.connection->advance();
    pair.server.connection->enc().in.reclaim();
    pair.server.connection->enc().in.set_eof();
    pair.server.connection->advance();
    CHECK(pair.server.connection->dead());
    CHECK(pair.server.events.failures.contains(read));
    CHECK(pair.server.events.failed_count == 1);
  }
  return true;
});

// Operations of all kinds in any order, cancelled at any time: nothing hangs, each ends exactly once.
const Register kRandom("any operations, in any order, cancelled at any time", [] {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const int version = round % 2 == 0 ? TLS1_3_VERSION : TLS1_2_VERSION;
    Pair pair(version);
    SSL_set_options(pair.server.connection->ssl(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    End* ends[] = {&pair.client, &pair.server};
    for (int step = 0; step < 60; ++step) {
      End& end = *ends[random() % 2];
      switch (random() % 9) {
        case 0:
        case 1:
          end.write(text(random() % 40'000));
          break;
        case 2:
          end.read(1 + random() % 20'000);
          break;
        case 3:
          end.start(Operation::KeyUpdate{random() % 2 == 0});
          break;
        case 4:
          end.start(Operation::Renegotiate{random() % 2 == 0});
          break;
        case 5:
          end.start(Operation::Handshake{});
          break;
        case 6:
          end.connection->cancel(1 + random() % end.next);
          break;
        case 7:
          (void)end.connection->schedule_key_update(static_cast<int>(random() % 2));
          break;
        default:
          pair.pump(1 + random() % 5000);
          break;
      }
    }
    for (End* end : ends) end->connection->start_flow();
    pair.pump();
    for (End* end : ends) {
      std::vector<OperationId> order = end->events.order;
      std::sort(order.begin(), order.end());
      CHECK(std::adjacent_find(order.begin(), order.end()) == order.end());
    }
  }
  return true;
});

// Sends no more after the first record that it is told of.
class Closing : public Recorder {
 public:
  SSL* ssl = nullptr;
  void message(bool sent, int, int content_type, std::span<const std::uint8_t>) override {
    if (ssl != nullptr && sent && content_type == SSL3_RT_HEADER) SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN);
  }
};

const Register kDeathInAWrite("a connection that dies inside a write leaves nothing of it behind", [] {
  Closing events;
  Pair pair(TLS1_3_VERSION);
  engine::ConnectionOptions options;
  options.dynamic_record_sizing = true;
  openssl::FailurePtr failure;
  pair.client.connection = engine::Connection::create(openssl::SslPtr(SSL_new(pair.contexts.client.get())), options,
                                                      pair.pool, events, failure);
  CHECK(pair.handshake());
  events.ssl = pair.client.connection->ssl();
  pair.client.connection->observe(engine::kObserveMessage);
  // So many that the queue gives its memory back.
  constexpr std::size_t kWrites = 100;
  for (std::size_t left = kWrites; left != 0; --left) pair.client.write(text(10'000));
  pair.client.connection->advance();
  CHECK(pair.client.connection->dead() && events.failures.size() == kWrites && events.failed_count == 1);
  return true;
});

}  // namespace
}  // namespace system_tls::test
