// When a renegotiation is complete, whose it is, and when there were too many: by the messages alone.
#include "engine/renegotiation.h"

#include "test/check.h"

namespace system_tls::test {
namespace {

using engine::Renegotiation;
using Clock = Renegotiation::Clock;

constexpr std::chrono::minutes kWindow{10};
constexpr Clock::time_point kStart{std::chrono::hours(1)};

void finish(Renegotiation& renegotiation) {
  renegotiation.finished(false);
  renegotiation.finished(true);
}

const Register kClients("renegotiation: a client's is over when all its messages were seen", [] {
  Renegotiation own(3, kWindow);
  finish(own);
  CHECK(!own.seen_whole());
  own.schedule();
  CHECK(own.scheduled() && !own.driven());
  own.begin();
  CHECK(!own.scheduled() && own.driven());
  own.client_hello(true, kStart);
  CHECK(own.driven() && !own.seen_whole() && !own.by_peer());
  own.finished(true);
  CHECK(!own.seen_whole());
  own.finished(false);
  CHECK(own.seen_whole());
  own.completed();
  CHECK(!own.seen_whole() && !own.driven() && own.count() == 1);
  return true;
});

const Register kServers("renegotiation: a server's own is driven until its request is out, and answered late, or never",
                        [] {
                          Renegotiation own(0, kWindow);
                          own.begin();
                          own.hello_request_sent(false);
                          CHECK(!own.driven() && own.requested());
                          own.client_hello(false, kStart);
                          CHECK(!own.requested() && !own.by_peer() && !own.too_many());
                          finish(own);
                          CHECK(own.seen_whole());
                          own.completed();
                          own.client_hello(false, kStart);
                          CHECK(own.by_peer() && own.too_many());
                          return true;
                        });

const Register kRequests("renegotiation: requests excuse one ClientHello each; one that is repeated, one", [] {
  Renegotiation stream(0, kWindow);
  for (int left = 3; left != 0; --left) stream.hello_request_sent(false);
  for (int left = 3; left != 0; --left) stream.client_hello(false, kStart);
  CHECK(!stream.too_many());
  stream.client_hello(false, kStart);
  CHECK(stream.too_many());
  Renegotiation datagrams(0, kWindow);
  for (int left = 3; left != 0; --left) datagrams.hello_request_sent(true);
  datagrams.client_hello(false, kStart);
  CHECK(!datagrams.requested() && !datagrams.too_many());
  datagrams.client_hello(false, kStart);
  CHECK(datagrams.too_many());
  return true;
});

const Register kLimit("renegotiation: starts count, complete or not, in a window; too many stay too many", [] {
  Renegotiation peers(3, kWindow);
  for (int left = 3; left != 0; --left) peers.client_hello(false, kStart);
  CHECK(!peers.too_many());
  peers.client_hello(false, kStart + kWindow + std::chrono::seconds(1));
  CHECK(!peers.too_many());
  for (int left = 3; left != 0; --left) peers.client_hello(false, kStart + kWindow + kWindow);
  CHECK(peers.too_many());
  peers.client_hello(false, kStart + kWindow * 100);
  CHECK(peers.too_many());
  return true;
});

const Register kForbidden("renegotiation: once forbidden, the peer's next one is too many, and an own one is not", [] {
  Renegotiation forbidden(3, kWindow);
  forbidden.client_hello(false, kStart);
  forbidden.forbid();
  CHECK(!forbidden.too_many());
  forbidden.hello_request_sent(false);
  forbidden.client_hello(false, kStart);
  CHECK(!forbidden.too_many());
  forbidden.client_hello(false, kStart + kWindow * 2);
  CHECK(forbidden.too_many());
  return true;
});

const Register kCrossed("renegotiation: the peer's leaves ours scheduled, and another ClientHello begins anew", [] {
  Renegotiation crossed(3, kWindow);
  crossed.client_hello(false, kStart);
  crossed.finished(false);
  crossed.client_hello(false, kStart);
  crossed.finished(true);
  CHECK(!crossed.seen_whole());
  crossed.schedule();
  crossed.finished(false);
  CHECK(crossed.seen_whole());
  crossed.completed();
  CHECK(crossed.scheduled() && crossed.count() == 1);
  // What was left over from before.
  finish(crossed);
  crossed.begin();
  crossed.client_hello(true, kStart);
  CHECK(!crossed.seen_whole());
  return true;
});

}  // namespace
}  // namespace system_tls::test
