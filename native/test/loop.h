// A reactor on a loop without node, and two connections on it.
#pragma once

#include <uv.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "io/channel.h"
#include "io/reactor/reactor.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {

// A loop with a reactor on it, and a receiver that notes everything.
class Loop : public io::Reactor::Receiver {
 public:
  Loop() : slabs_(2 * kSlab) {
    uv_loop_init(&loop_);
    const std::span<std::uint8_t> bytes(slabs_);
    const io::Slab slabs[] = {{bytes.first(kSlab), 0, {}}, {bytes.subspan(kSlab), 1, {}}};
    reactor = io::Reactor::open(&loop_, *this, slabs, [this] { closed = true; });
  }
  ~Loop() override {
    reactor->close();
    reactor.reset();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  void deliver(std::unique_ptr<io::EventBatch> batch) override {
    for (const io::Event& event : batch->events()) {
      ++counts[{event.target, event.kind}];
      if (on_event) on_event(event);
      if (event.kind == io::EventKind::data && event.b >= 0) {
        received[event.target].append(reinterpret_cast<const char*>(batch->slab().data() + event.b),
                                      static_cast<std::size_t>(event.c));
      }
      if (event.kind == io::EventKind::accepted) accepted.push_back(event.a);
    }
    reactor->delivered(*batch);
    if (on_deliver) on_deliver();
    reactor->recycle(std::move(batch));
  }

  // Runs until `done`, or for so long that something hangs.
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      uv_run(&loop_, UV_RUN_NOWAIT);
    }
    return true;
  }

  int count(std::int32_t target, io::EventKind kind) { return counts[{target, kind}]; }

  std::shared_ptr<io::Reactor> reactor;
  std::map<std::pair<std::int32_t, io::EventKind>, int> counts;
  std::map<std::int32_t, std::string> received;
  std::vector<int> accepted;
  std::function<void(const io::Event&)> on_event;
  std::function<void()> on_deliver;
  bool closed = false;

 private:
  static constexpr std::size_t kSlab = 64 * 1024;

  uv_loop_t loop_{};
  std::vector<std::uint8_t> slabs_;
};

struct Ends {
  Contexts contexts;
  std::shared_ptr<io::Channel> client;
  std::shared_ptr<io::Channel> server;
};

inline constexpr std::int32_t kClient = 1;
inline constexpr std::int32_t kServer = 2;

inline Ends make_ends(Loop& loop, int version) {
  Ends ends{make_contexts(version), nullptr, nullptr};
  openssl::FailurePtr failure;
  engine::ConnectionOptions options;
  ends.client = io::Channel::create(loop.reactor, kClient, openssl::SslPtr(SSL_new(ends.contexts.client.get())),
                                    options, failure);
  ends.client->move_in();
  options.server = true;
  ends.server = io::Channel::create(loop.reactor, kServer, openssl::SslPtr(SSL_new(ends.contexts.server.get())),
                                    options, failure);
  ends.server->move_in();
  return ends;
}

inline engine::Operation operation(engine::OperationId id, engine::Operation::What what) {
  return {id, std::move(what)};
}

inline engine::Operation write_operation(engine::OperationId id, std::string bytes) {
  const std::size_t length = bytes.size();
  return {id, engine::Operation::Write{std::make_unique<Source>(std::move(bytes)), 0, length}};
}

inline bool megabyte_both_ways(Loop& loop, Ends& ends) {
  using engine::Operation;
  const std::string bytes(1 << 20, 'x');
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(operation(1, Operation::Handshake{}));
    ends.client->start(write_operation(2, bytes));
    ends.server->start(write_operation(1, bytes));
    ends.client->start_flow();
    ends.server->start_flow();
  }
  CHECK(loop.run_until(
      [&] { return loop.received[kClient].size() == bytes.size() && loop.received[kServer].size() == bytes.size(); }));
  CHECK(loop.received[kClient] == bytes && loop.received[kServer] == bytes);
  return true;
}

// The server is closed after so many turns of a handshake, or of what follows it; whether the client fails, once, and
// never takes that for the end of the data.
inline bool server_vanishes(Loop& loop, Ends& ends, int turns) {
  using engine::Operation;
  {
    const io::Turn turn(*loop.reactor);
    ends.client->start(operation(1, Operation::Handshake{}));
    ends.client->start(write_operation(2, "hello"));
    ends.client->start_flow();
    ends.server->start(operation(1, Operation::Handshake{}));
  }
  int turned = 0;
  loop.run_until([&] { return turned++ == turns; });
  {
    const io::Turn turn(*loop.reactor);
    ends.server->close();
  }
  CHECK(loop.run_until([&] { return loop.count(kClient, io::EventKind::failed) == 1; }));
  CHECK(loop.count(kClient, io::EventKind::end) == 0);
  return true;
}

}  // namespace system_tls::test
