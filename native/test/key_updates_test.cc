// Which KeyUpdates a peer may send, and when one of ours is made: by the counts alone, without a connection.
#include "engine/key_updates.h"

#include "test/check.h"

namespace system_tls::test {
namespace {

using engine::KeyUpdates;

void receive(KeyUpdates& updates, int count, bool requests) {
  for (int left = count; left != 0; --left) updates.received(requests);
}

const Register kInARow("key updates: as many in a row as the limit, and data begins anew", [] {
  KeyUpdates updates(4);
  receive(updates, 4, false);
  CHECK(!updates.too_many());
  updates.data_received();
  receive(updates, 4, false);
  CHECK(!updates.too_many());
  updates.received(true);
  CHECK(updates.too_many());
  return true;
});

const Register kForGood("key updates: whoever sent too many is not forgiven for data behind them", [] {
  KeyUpdates updates(4);
  receive(updates, 100'000, true);
  updates.data_received();
  CHECK(updates.too_many());
  KeyUpdates none(0);
  none.received(false);
  CHECK(none.too_many());
  return true;
});

const Register kExcused("key updates: an answer to ours is excused, a request by a record of data, each once", [] {
  KeyUpdates updates(0);
  updates.sent(true);
  updates.received(false);
  CHECK(!updates.too_many());
  for (int left = 100; left != 0; --left) updates.record_sent(true);
  receive(updates, 100, true);
  CHECK(!updates.too_many());
  updates.received(true);
  CHECK(updates.too_many());
  return true;
});

const Register kWrongExcuse("key updates: no excuse for an answer that requests, for unasked ones, for what is no data",
                            [] {
                              KeyUpdates answered(0);
                              answered.sent(true);
                              answered.received(true);
                              CHECK(answered.too_many());
                              KeyUpdates unasked(0);
                              unasked.sent(false);
                              unasked.record_sent(true);
                              unasked.received(false);
                              CHECK(unasked.too_many());
                              KeyUpdates alerts(0);
                              alerts.record_sent(false);
                              alerts.received(true);
                              CHECK(alerts.too_many());
                              return true;
                            });

const Register kSaved("key updates: excuses are bounded, however much was sent", [] {
  KeyUpdates updates(0);
  for (int left = 1'000'000; left != 0; --left) updates.record_sent(true);
  int excused = 0;
  for (; !updates.too_many(); ++excused) updates.received(true);
  CHECK(excused <= 16 * 1024 + 1);
  return true;
});

const Register kRequests("key updates: one request at a time, and one serves for those that follow at once", [] {
  KeyUpdates updates(32);
  CHECK(updates.may_request() && !updates.serves(true));
  updates.sent(true);
  CHECK(!updates.may_request() && updates.serves(true) && !updates.serves(false));
  updates.record_sent(true);
  CHECK(!updates.may_request() && !updates.serves(true));
  updates.sent(false);
  CHECK(!updates.may_request() && updates.serves(true));
  updates.received(false);
  CHECK(updates.may_request() && !updates.serves(true));
  return true;
});

const Register kNotes("key updates: what came is noted once, however many there were", [] {
  KeyUpdates updates(32);
  CHECK(!updates.peer_updated() && !updates.take_peer_updated() && !updates.take_peer_request());
  updates.received(true);
  updates.received(false);
  CHECK(updates.peer_updated() && updates.take_peer_request() && !updates.take_peer_request());
  CHECK(updates.take_peer_updated() && !updates.take_peer_updated());
  return true;
});

}  // namespace
}  // namespace system_tls::test
