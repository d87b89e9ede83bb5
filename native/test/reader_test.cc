// Who gets the clear bytes that arrive: without a connection.
#include "engine/reader.h"

#include <algorithm>

#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::ReadOperation;
using Target = engine::Reader::Target;

constexpr std::size_t kLimit = 100;

class Memory : public engine::ClearTarget {
 public:
  explicit Memory(std::size_t size) : bytes_(size) {}
  std::span<std::uint8_t> room() override { return bytes_; }

 private:
  std::vector<std::uint8_t> bytes_;
};

struct Reading {
  engine::ChunkPool pool;
  Recorder events;
  engine::Reader reader;

  explicit Reading(bool messages = false) : reader(events, pool, kLimit, messages) {}
  void read(engine::OperationId id, std::size_t max) { reader.add({id, max, nullptr}); }
  // As SSL_read would.
  void arrive(const std::string& bytes) {
    std::span<std::uint8_t> target;
    if (!reader.wanted()) {
      target = reader.ahead_room();
    } else if (reader.pick_target(target) != Target::ready) {
      return;
    }
    std::copy(bytes.begin(), bytes.end(), target.begin());
    reader.took(target.first(bytes.size()));
  }
  void keep(const std::string& message) {
    reader.keep_ahead({reinterpret_cast<const std::uint8_t*>(message.data()), message.size()});
  }
};

const Register kOrder("reader: reads in call order, and the flow behind them", [] {
  Reading it;
  CHECK(it.reader.start_flow() && !it.reader.start_flow());
  it.read(1, 10);
  it.read(2, 10);
  for (const char* bytes : {"a", "b", "c"}) it.arrive(bytes);
  CHECK(it.events.reads[1] == "a" && it.events.reads[2] == "b" && it.events.flow == "c");
  CHECK(it.reader.withdraw(1) == false);
  it.read(3, 10);
  CHECK(it.reader.withdraw(3) && it.reader.waiting());
  CHECK(it.reader.deliver_end() && !it.reader.deliver_end() && !it.reader.waiting());
  return true;
});

const Register kAhead("reader: what was read ahead is bounded, and comes first", [] {
  Reading it;
  it.arrive("before");
  CHECK(!it.reader.ahead_wanted() && it.reader.ahead_size() == 6);
  it.arrive(std::string(kLimit - 6, 'x'));
  CHECK(!it.reader.may_hold_more());
  it.read(1, 4);
  CHECK(it.reader.ahead_wanted() && it.reader.serve_ahead() == Target::ready && it.events.reads[1] == "befo");
  CHECK(it.reader.may_hold_more() && it.reader.ahead_room().size() == 4);
  it.reader.drop_ahead();
  CHECK(it.reader.ahead_empty());
  return true;
});

const Register kNothing("reader: memory that was asked for and not filled goes back", [] {
  Reading it;
  it.arrive("");
  CHECK(it.reader.ahead_empty() && !it.reader.ahead_wanted());
  it.arrive("x");
  CHECK(it.reader.ahead_size() == 1);
  return true;
});

const Register kMessages("reader: a read gets one message, or a part of one, and one is held whatever the bound", [] {
  Reading it(true);
  CHECK(it.reader.may_hold_more());
  it.keep(std::string(kLimit * 2, 'a'));
  CHECK(!it.reader.may_hold_more());
  it.reader.drop_ahead();
  it.keep("first");
  it.keep("");
  it.keep("second");
  it.read(1, 3);
  it.read(2, 10);
  it.read(3, 10);
  for (int left = 3; left != 0; --left) CHECK(it.reader.serve_ahead() == Target::ready);
  CHECK(it.events.reads[1] == "fir" && it.events.reads[2] == "st" && it.events.reads[3] == "second");
  return true;
});

const Register kFlowMemory("reader: memory of the flow's own is filled once until it is delivered", [] {
  Reading it;
  it.reader.set_flow_target(std::make_unique<Memory>(8));
  it.reader.start_flow();
  it.arrive("a");
  std::span<std::uint8_t> target;
  CHECK(it.reader.pick_target(target) == Target::none && it.reader.blocked_on_delivery());
  it.reader.unblock();
  it.reader.flow_delivered();
  CHECK(it.reader.pick_target(target) == Target::ready && target.size() == 8);
  return true;
});

const Register kGone("reader: memory that is gone ends the read it was for, and only that", [] {
  Reading it;
  it.reader.add({1, 10, std::make_unique<Memory>(0)});
  it.read(2, 10);
  std::span<std::uint8_t> target;
  CHECK(it.reader.pick_target(target) == Target::gone && !it.reader.blocked_on_delivery());
  CHECK(it.reader.fail_read(openssl::named_failure("GONE", "")) && it.events.failures[1]->code == "GONE");
  it.arrive("x");
  CHECK(it.events.reads[2] == "x" && !it.reader.fail_read(nullptr));
  return true;
});

}  // namespace
}  // namespace system_tls::test
