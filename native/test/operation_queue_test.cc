// Each operation ends once, whoever ends it: without a connection.
#include "engine/operations/queue.h"

#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Cancelled;
using engine::Operation;
using engine::OperationId;
using engine::PeerWait;

const openssl::FailurePtr kFailure = openssl::named_failure("FAILED", "");

struct Queue {
  Recorder events;
  engine::OperationQueue queue{events};

  void push(OperationId id, Operation::What what) { queue.push({id, std::move(what)}); }
};

const Register kFailed("operation queue: all fail at once, those that wait for the peer too, and once", [] {
  Queue it;
  it.push(1, Operation::Write{});
  it.push(2, Operation::Shutdown{});
  it.queue.wait({3, PeerWait::Kind::renegotiation, false});
  it.queue.done(7);
  it.queue.fail_all(kFailure);
  it.queue.fail_all(kFailure);
  CHECK(it.events.order.size() == 3 && it.events.done.size() == 1 && it.events.done[1] == 7);
  CHECK(it.events.failures[2] == kFailure && it.events.failures[3] == kFailure);
  CHECK(it.queue.empty() && it.queue.first() == nullptr && it.queue.waits().empty());
  return true;
});

const Register kWithdrawn("operation queue: what has begun is not taken back, but for data of which nothing went out",
                          [] {
                            Queue it;
                            it.push(1, Operation::KeyUpdate{});
                            it.push(2, Operation::KeyUpdate{});
                            CHECK(it.queue.withdraw(9, false) == Cancelled::unknown);
                            CHECK(it.queue.withdraw(2, true) == Cancelled::withdrawn);
                            CHECK(it.queue.withdraw(1, true) == Cancelled::under_way);
                            it.queue.first()->stage = Operation::Stage::running;
                            CHECK(it.queue.withdraw(1, false) == Cancelled::under_way);
                            it.queue.done();
                            it.push(3, Operation::Write{});
                            Operation& write = *it.queue.first();
                            write.stage = Operation::Stage::running;
                            std::get<Operation::Write>(write.what).offset = 1;
                            CHECK(it.queue.withdraw(3, false) == Cancelled::under_way);
                            std::get<Operation::Write>(write.what).offset = 0;
                            CHECK(it.queue.withdraw(3, false) == Cancelled::withdrawn && it.queue.empty());
                            CHECK(it.events.failures.empty() && it.events.order.size() == 1);
                            return true;
                          });

const Register kClosed("operation queue: a peer that closes has said goodbye, and answers nothing else", [] {
  Queue it;
  it.push(1, Operation::KeyUpdate{});
  it.queue.wait({1, PeerWait::Kind::key_update, false});
  it.queue.wait({2, PeerWait::Kind::close_notify, false});
  it.queue.wait({3, PeerWait::Kind::client_certificate, true});
  it.queue.wait({4, PeerWait::Kind::key_update, false});
  CHECK(it.queue.waits_for_peer(3) && !it.queue.waits_for_peer(5));
  it.queue.peer_closed(kFailure);
  CHECK(it.events.done.count(2) == 1 && it.events.done.size() == 1);
  CHECK(it.events.failures.count(3) == 1 && it.events.failures.count(4) == 1 && it.events.failures.size() == 2);
  CHECK(it.queue.waits().empty() && !it.queue.stop_waiting(3));
  return true;
});

}  // namespace
}  // namespace system_tls::test
