// Connections on I/O threads, without node: what ThreadSanitizer has to see.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "io/channel.h"
#include "io/listener.h"
#include "io/threads/io_pool.h"
#include "io/transports/socket.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Operation;
using io::EventKind;

class Count : public io::Activity {
 private:
  void changed() override {}
};

// The thread of the test, with a loop: it owns the I/O threads, as an environment does.
class Owner : public io::IoThread::Owner, public std::enable_shared_from_this<Owner> {
 public:
  Owner() : activity_(std::make_shared<Count>()) {
    uv_loop_init(&loop_);
    lease_ = io::LoopLease(this, [](void*) {});
    mailbox_ = io::Mailbox::open(&loop_, lease_);
  }
  // Also when a check has failed in the middle: the threads write to memory of this.
  ~Owner() override {
    for (const std::shared_ptr<io::IoPool>& pool : pools_) pool->stop();
    mailbox_->close();
    uv_run(&loop_, UV_RUN_DEFAULT);
    uv_loop_close(&loop_);
  }

  std::shared_ptr<io::IoPool> open_pool(std::size_t threads) {
    memory_.resize(memory_.size() + 1);
    memory_.back().resize(threads * kSlabs * kSlab);
    std::vector<io::Slab> slabs;
    for (std::size_t index = 0; index < threads * kSlabs; ++index) {
      slabs.push_back({std::span(memory_.back()).subspan(index * kSlab, kSlab), static_cast<std::int32_t>(index), {}});
    }
    openssl::FailurePtr failure;
    pools_.push_back(io::IoPool::open(shared_from_this(), threads, slabs, failure));
    return pools_.back();
  }

  void dispatch(io::EventBatch& batch) override {
    for (const io::Event& event : batch.events()) {
      ++counts[{event.target, event.kind}];
      if (event.kind == EventKind::data) {
        received[event.target].append(reinterpret_cast<const char*>(batch.slab().data() + event.b),
                                      static_cast<std::size_t>(event.c));
      }
      if (event.kind == EventKind::accepted && on_accepted) on_accepted(event.a);
      if (event.kind == EventKind::failed) {
        failures[event.target] = std::get<openssl::FailurePtr>(batch.payloads()[static_cast<std::size_t>(event.a)]);
      }
      if (event.kind == EventKind::question && on_question) {
        on_question(event.target, static_cast<engine::QuestionId>(event.a));
      }
    }
    if (on_dispatch) on_dispatch();
  }
  io::Mailbox& mailbox() override { return *mailbox_; }
  const std::shared_ptr<io::Activity>& activity() const override { return activity_; }
  const std::shared_ptr<io::OfferedSockets>& offered() const override { return offered_; }

  // Runs until `done`, or for so long that something hangs.
  bool run_until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + kPatience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      if (uv_run(&loop_, UV_RUN_NOWAIT) != 0) ::usleep(50);
    }
    return true;
  }

  uv_loop_t* loop() { return &loop_; }
  const io::LoopLease& lease() const { return lease_; }

  std::map<std::pair<std::int32_t, EventKind>, int> counts;
  std::map<std::int32_t, std::string> received;
  std::map<std::int32_t, openssl::FailurePtr> failures;
  std::function<void()> on_dispatch;
  std::function<void(int)> on_accepted;
  std::function<void(std::int32_t, engine::QuestionId)> on_question;

 private:
  static constexpr std::size_t kSlabs = 3;
  static constexpr std::size_t kSlab = 64 * 1024;

  uv_loop_t loop_{};
  io::LoopLease lease_;
  std::unique_ptr<io::Mailbox> mailbox_;
  const std::shared_ptr<io::Activity> activity_;
  const std::shared_ptr<io::OfferedSockets> offered_ = std::make_shared<io::OfferedSockets>();
  std::vector<std::vector<std::uint8_t>> memory_;
  std::vector<std::shared_ptr<io::IoPool>> pools_;
};

// A channel on a thread, and the way to it.
struct Remote {
  std::int32_t id = 0;
  std::shared_ptr<io::IoThread> thread;
  std::shared_ptr<io::Channel> channel;

  template <typename Function>
  bool post(Function function) const {
    return thread->post([channel = channel, function = std::move(function)]() mutable {
      if (channel->connection() != nullptr) function(*channel);
    });
  }
  bool handshake(engine::OperationId operation_id) const {
    return post([operation_id](io::Channel& there) { there.start({operation_id, Operation::Handshake{}}, false); });
  }
  bool write(engine::OperationId operation_id, std::string bytes) const {
    return post([operation_id, bytes = std::move(bytes)](io::Channel& there) {
      there.start({operation_id, Operation::Write{std::make_unique<Source>(bytes), 0, bytes.size()}}, false);
    });
  }
  bool flow() const {
    return post([](io::Channel& there) { there.start_flow(); });
  }
  // As a handle does it that is collected.
  void drop() {
    thread->post([gone = channel] { gone->close(); });
    channel.reset();
  }
};

Remote make_remote(const io::IoPool& pool, SSL_CTX* context, std::int32_t id, bool server, int fd) {
  engine::ConnectionOptions options;
  options.server = server;
  openssl::FailurePtr failure;
  Remote remote{id, pool.choose(), nullptr};
  remote.thread->add_load(1);
  remote.channel =
      io::Channel::create(remote.thread->reactor(), id, openssl::SslPtr(SSL_new(context)), options, failure);
  io::Fd socket = io::adopt_stream_socket(fd, true, failure);
  remote.thread->post([channel = remote.channel, socket = std::move(socket)]() mutable {
    channel->move_in();
    channel->set_socket(socket, true);
  });
  return remote;
}

struct Pairs {
  Contexts contexts;
  std::vector<Remote> ends;  // client, server, client, ...
};

Pairs make_pairs(const io::IoPool& pool, int version, int count, bool asking = false) {
  Pairs pairs{make_contexts(version), {}};
  if (asking) let_ask(pairs.contexts);
  for (int index = 0; index < count; ++index) {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) break;
    pairs.ends.push_back(make_remote(pool, pairs.contexts.client.get(), 2 * index + 1, false, fds[0]));
    pairs.ends.push_back(make_remote(pool, pairs.contexts.server.get(), 2 * index + 2, true, fds[1]));
  }
  return pairs;
}

const Register kBulk("I/O threads: many connections, much data both ways, each byte in its place", [] {
  const std::string bytes = [] {
    std::string made(700'000, '\0');
    for (std::size_t index = 0; index < made.size(); ++index) made[index] = static_cast<char>(index * 31 >> 3);
    return made;
  }();
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(3);
    const Pairs pairs = make_pairs(*pool, version, 6);
    for (const auto& thread : pool->threads()) CHECK(thread->load() == 4);
    for (const Remote& end : pairs.ends) {
      end.write(1, bytes);
      end.flow();
    }
    // That a write is done may come in a batch after its last byte has arrived.
    CHECK(owner->run_until([&] {
      for (const Remote& end : pairs.ends) {
        if (owner->received[end.id].size() != bytes.size()) return false;
        if (owner->counts[{end.id, EventKind::operation_done}] == 0) return false;
      }
      return true;
    }));
    CHECK(owner->run_until([&] { return true; }));
    for (const Remote& end : pairs.ends) {
      CHECK(owner->received[end.id] == bytes);
      CHECK((owner->counts[{end.id, EventKind::operation_done}] == 1));
    }
    pool->stop();
    CHECK(pairs.ends[0].channel->connection() == nullptr);
  }
  return true;
});

const Register kRetired("I/O threads: one that is retired gets nothing, and ends when nothing lives there", [] {
  auto owner = std::make_shared<Owner>();
  const auto pool = owner->open_pool(2);
  Pairs pairs = make_pairs(*pool, TLS1_3_VERSION, 2);
  const std::shared_ptr<io::IoThread> going = pool->threads()[1];
  CHECK(!pool->retire(2) && !pool->revive() && pool->ask_to_end().empty());
  CHECK(pool->retire(1) && !pool->retire(1) && !pool->retire(0));
  for (int count = 0; count < 5; ++count) CHECK(pool->choose() == pool->threads()[0]);
  CHECK(pool->ask_to_end().empty());
  CHECK(pool->revive() && pool->choose() == pool->threads()[0] && pool->retire(1));

  // The owner knows of nothing there any more, but the thread does.
  std::vector<bool> answers;
  const auto ask = [&] {
    for (const auto& thread : pool->ask_to_end()) {
      thread->ask_vacant([&, thread](bool vacant) {
        answers.push_back(vacant);
        if (!pool->end(thread, vacant)) answers.push_back(false);
      });
    }
    CHECK(pool->ask_to_end().empty() && !pool->revive());
    return true;
  };
  const int left = going->load();
  going->add_load(-left);
  CHECK(ask() && owner->run_until([&] { return !answers.empty(); }));
  CHECK((answers == std::vector<bool>{false, false}) && pool->size() == 2);
  going->add_user(1);
  CHECK(pool->ask_to_end().empty());
  going->add_user(-1);
  for (const Remote& end : pairs.ends) {
    if (end.thread != going) continue;
    going->post([channel = end.channel] { channel->close(); });
  }
  answers.clear();
  CHECK(ask() && owner->run_until([&] { return !answers.empty(); }));
  CHECK(answers == std::vector<bool>{true});
  CHECK(pool->size() == 1 && going->processor_time() == 0 && !going->post([] {}));
  CHECK(pool->choose() == pool->threads()[0] && !pool->retire(0) && !pool->end(going, true));
  CHECK(pool->measure().size() == 1);
  pool->stop();
  CHECK(pool->choose() == nullptr);
  return true;
});

// What ThreadSanitizer has to see: the owner looks at any moment, also while handshakes put certificates and sessions
// where they are published.
const Register kPublished("I/O threads: what a connection is like is there for the owner without waiting", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(2);
    const Pairs pairs = make_pairs(*pool, version, 4);
    std::vector<std::shared_ptr<io::Published>> all;
    for (const Remote& end : pairs.ends) {
      all.push_back(std::make_shared<io::Published>());
      end.post([published = all.back()](io::Channel& there) { there.publish_to(published); });
      end.handshake(1);
      end.flow();
    }
    const auto read_all = [&all](bool complete) {
      bool every = true;
      for (const auto& published : all) {
        const auto negotiated = published->negotiated();
        const openssl::SessionPtr session = published->session();
        const openssl::SessionPtr copy(session ? SSL_SESSION_dup(session.get()) : nullptr);
        every = every && published->gauges().established && negotiated->cipher != nullptr && copy != nullptr &&
                (negotiated->server || !engine::peer_chain_of(*negotiated).empty());
      }
      return every == complete || !complete;
    };
    CHECK(owner->run_until([&] {
      read_all(false);
      for (const Remote& end : pairs.ends) {
        if (owner->counts[{end.id, EventKind::operation_done}] == 0) return false;
      }
      return true;
    }));
    CHECK(read_all(true));
    for (const Remote& end : pairs.ends) end.write(2, "x");
    CHECK(owner->run_until([&] { return read_all(true) && owner->received[pairs.ends.back().id] == "x"; }));
    pool->stop();
    // What was looked at lives as long as whoever looks.
    CHECK(read_all(true));
  }
  return true;
});

const Register kSlow("I/O threads: an owner that is slow holds the peer back, in bounded memory", [] {
  auto owner = std::make_shared<Owner>();
  const auto pool = owner->open_pool(2);
  const Pairs pairs = make_pairs(*pool, TLS1_3_VERSION, 1);
  const std::string bytes(8 << 20, 's');
  pairs.ends[0].write(1, bytes);
  pairs.ends[1].flow();
  // Nobody runs the owner's loop: three slabs, the sockets' buffers and the outgoing mark are all that can move.
  ::usleep(300'000);
  bool writing = false;
  pairs.ends[0].thread->run([&] { writing = pairs.ends[0].channel->connection()->pending(); });
  CHECK(writing);
  CHECK(owner->run_until([&] { return owner->received[2].size() == bytes.size(); }));
  CHECK(owner->run_until([&] { return owner->counts[{1, EventKind::operation_done}] == 1; }));
  pool->stop();
  return true;
});

const Register kTorn("I/O threads stopped at any moment let go of everything", [] {
  for (int after = 0; after < 40; ++after) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(2);
    Pairs pairs = make_pairs(*pool, after % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, 3);
    for (const Remote& end : pairs.ends) {
      end.write(1, std::string(200'000, 't'));
      end.flow();
    }
    const std::uint64_t end = uv_hrtime() + static_cast<std::uint64_t>(after) * 200'000;
    owner->run_until([&] { return uv_hrtime() > end; });
    if (after % 3 == 0) pairs.ends[1].drop();
    if (after % 3 == 1) {
      for (Remote& each : pairs.ends) each.drop();
    }
    pool->stop();
    for (const Remote& each : pairs.ends) {
      CHECK(!each.post([](io::Channel&) {}));
      if (each.channel) CHECK(each.channel->connection() == nullptr);
    }
    // What the threads sent before their end arrives all the same.
    owner->run_until([&] { return uv_run(owner->loop(), UV_RUN_NOWAIT) >= 0; });
  }
  return true;
});

// A client that has connected, and stays as long as it is held.
io::Fd connect_to(std::uint16_t port) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(port);
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  io::Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  const bool connected = ::connect(client.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  return connected ? std::move(client) : io::Fd();
}

const Register kAccepting("I/O threads: a listener offers what comes, and no more than its owner takes", [] {
  constexpr int kClients = 200;
  for (const bool taken : {true, false}) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(1);
    io::IoThread& thread = *pool->threads().front();
    std::shared_ptr<io::Listener> listener;
    std::uint16_t port = 0;
    thread.run([&] {
      listener = std::make_shared<io::Listener>(*thread.reactor(), 9);
      io::ListenOptions options;
      options.address = "127.0.0.1";
      if (!listener->listen(options)) port = listener->address()->port;
    });
    std::vector<io::Fd> clients;
    for (int each = 0; each < kClients; ++each) CHECK(clients.emplace_back(connect_to(port)));
    // Nobody runs the owner's loop: the rest waits in the kernel.
    ::usleep(100'000);
    CHECK(owner->offered()->count() == 128);
    if (taken) {
      std::vector<io::Fd> served;
      owner->on_accepted = [&](int fd) {
        if (auto offered = owner->offered()->take(fd)) {
          if (offered->local && offered->local->port == port) served.push_back(std::move(offered->fd));
        }
      };
      CHECK(owner->run_until([&] { return served.size() == kClients; }));
    }
    // What was not taken is closed with it, also by the thread's end.
    if (taken) thread.run([&] { listener->close(); });
    pool->stop();
    CHECK(owner->offered()->count() == 0 && !listener->listening());
  }
  return true;
});

const Register kEvicted("I/O threads: what is evicted hears why, before the last word", [] {
  auto owner = std::make_shared<Owner>();
  const auto pool = owner->open_pool(2);
  const Pairs pairs = make_pairs(*pool, TLS1_3_VERSION, 4);
  for (const Remote& end : pairs.ends) end.flow();
  std::atomic<int> told{0};
  int failed_before = 0;
  for (const auto& thread : pool->threads()) {
    thread->evict(openssl::named_failure("ERR_TLS_CLOSED", "over"), [&] {
      ++told;
      failed_before = static_cast<int>(owner->failures.size());
    });
  }
  CHECK(owner->run_until([&] { return told == 2; }));
  CHECK(failed_before == 8);
  for (const auto& [id, failure] : owner->failures)
    CHECK(failure->code == "ERR_TLS_CLOSED" || failure->system_error != 0 || !failure->errors.empty());
  pool->stop();
  return true;
});

// Takes what was recorded on the loop of the test.
class LoopReceiver : public io::Reactor::Receiver {
 public:
  explicit LoopReceiver(Owner& owner) : owner_(owner), memory_(128 * 1024) {
    const io::Slab slabs[] = {{std::span(memory_).first(64 * 1024), 0, {}},
                              {std::span(memory_).subspan(64 * 1024), 1, {}}};
    reactor = io::Reactor::open(owner.loop(), *this, slabs, [] {});
  }
  ~LoopReceiver() override { reactor->close(); }
  void deliver(std::unique_ptr<io::EventBatch> batch) override {
    owner_.dispatch(*batch);
    reactor->recycle(std::move(batch));
  }
  std::shared_ptr<io::Reactor> reactor;

 private:
  Owner& owner_;
  std::vector<std::uint8_t> memory_;
};

const Register kMoved("from an I/O thread to the loop, with data on its way", [] {
  for (int round = 0; round < 20; ++round) {
    auto owner = std::make_shared<Owner>();
    LoopReceiver loop(*owner);
    const auto pool = owner->open_pool(2);
    const Pairs pairs = make_pairs(*pool, TLS1_3_VERSION, 1);
    const Remote& client = pairs.ends[0];
    const Remote& server = pairs.ends[1];
    const std::string bytes(300'000, 'm');
    client.write(1, bytes);
    server.handshake(1);
    server.write(2, bytes);
    client.flow();
    if (round % 2 == 0) server.flow();
    const int before = round;
    int turns = 0;
    owner->run_until([&] { return turns++ == before; });
    bool arrived = false;
    server.thread->post([&, channel = server.channel] {
      channel->leave();
      channel->reactor().deliver();
      owner->mailbox().post([&, channel] {
        const io::Turn turn(*loop.reactor);
        channel->join(loop.reactor);
        channel->start_flow();
        arrived = true;
      });
    });
    CHECK(owner->run_until([&] {
      return arrived && owner->received[1].size() == bytes.size() && owner->received[2].size() == bytes.size();
    }));
    pool->stop();
    CHECK(client.channel->connection() == nullptr && server.channel->connection() != nullptr);
    server.channel->close();
    loop.reactor->close();
    owner->run_until([&] { return true; });
  }
  return true;
});

// Both ends of each ask; `answer` hears of each question on the owner's thread.
void let_ends_ask(const Pairs& pairs, Owner& owner, std::function<void(const Remote&, engine::QuestionId)> answer) {
  for (const Remote& end : pairs.ends) {
    end.post([](io::Channel& there) {
      SSL_set_verify(there.connection()->ssl(), SSL_VERIFY_PEER, nullptr);
      there.connection()->set_may_ask(engine::kAskVerification, true);
    });
  }
  owner.on_question = [&pairs, answer = std::move(answer)](std::int32_t id, engine::QuestionId question) {
    answer(pairs.ends[static_cast<std::size_t>(id) - 1], question);
  };
}

const Register kAsking("I/O threads: questions are answered from elsewhere, twice, and too late", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(2);
    std::atomic<int> taken{0};
    std::atomic<int> refused{0};
    const auto answer = [&](const Remote& end, engine::QuestionId question) {
      for (int time = 0; time < 2; ++time) {
        end.post([&, question](io::Channel& there) {
          ++(there.answer(question, engine::Answer::of(X509_V_OK)) ? taken : refused);
        });
      }
    };
    const Pairs pairs = make_pairs(*pool, version, 8, true);
    let_ends_ask(pairs, *owner, answer);
    for (const Remote& end : pairs.ends) {
      end.write(1, "hello");
      end.flow();
    }
    CHECK(owner->run_until([&] {
      for (const Remote& end : pairs.ends) {
        if (owner->received[end.id] != "hello") return false;
      }
      return true;
    }));
    CHECK(owner->run_until([&] { return taken + refused == 32; }));
    pool->stop();
    CHECK(taken == 16);
  }
  return true;
});

const Register kAskingTorn("I/O threads stopped while questions wait, or are being answered, let go of everything", [] {
  for (int after = 0; after < 24; ++after) {
    auto owner = std::make_shared<Owner>();
    const auto pool = owner->open_pool(2);
    int asked = 0;
    const auto answer = [&](const Remote& end, engine::QuestionId question) {
      const int kind = (asked++ + after) % 4;
      if (kind == 0) return;
      if (kind == 1) end.post([](io::Channel& there) { there.close(); });
      end.post([question, kind](io::Channel& there) {
        there.answer(question, engine::Answer::of(kind == 2 ? X509_V_ERR_CERT_REVOKED : X509_V_OK));
      });
    };
    const Pairs pairs = make_pairs(*pool, after % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION, 4, true);
    let_ends_ask(pairs, *owner, answer);
    for (const Remote& end : pairs.ends) {
      end.write(1, "hello");
      end.flow();
    }
    const std::uint64_t end = uv_hrtime() + static_cast<std::uint64_t>(after) * 400'000;
    owner->run_until([&] { return uv_hrtime() > end; });
    pool->stop();
    for (const Remote& each : pairs.ends) CHECK(each.channel->connection() == nullptr);
    owner->run_until([&] { return uv_run(owner->loop(), UV_RUN_NOWAIT) >= 0; });
  }
  return true;
});

const Register kMailbox("a mailbox keeps the order of each sender, and drops nothing before it is closed", [] {
  auto owner = std::make_shared<Owner>();
  constexpr int kSenders = 4;
  constexpr int kEach = 5'000;
  std::vector<int> last(kSenders, -1);
  bool ordered = true;
  int arrived = 0;
  std::vector<uv_thread_t> threads(kSenders);
  struct Sender {
    Owner* owner;
    int index;
    std::vector<int>* last;
    bool* ordered;
    int* arrived;
  };
  std::vector<Sender> senders;
  for (int index = 0; index < kSenders; ++index) senders.push_back({owner.get(), index, &last, &ordered, &arrived});
  for (int index = 0; index < kSenders; ++index) {
    uv_thread_create(
        &threads[static_cast<std::size_t>(index)],
        [](void* self) {
          const Sender sender = *static_cast<Sender*>(self);
          for (int number = 0; number < kEach; ++number) {
            sender.owner->mailbox().post([sender, number] {
              int& before = (*sender.last)[static_cast<std::size_t>(sender.index)];
              if (number != before + 1) *sender.ordered = false;
              before = number;
              ++*sender.arrived;
            });
          }
        },
        &senders[static_cast<std::size_t>(index)]);
  }
  CHECK(owner->run_until([&] { return arrived == kSenders * kEach; }));
  CHECK(ordered);
  for (uv_thread_t& thread : threads) uv_thread_join(&thread);
  owner->mailbox().close();
  CHECK(!owner->mailbox().post([] {}));
  return true;
});

}  // namespace
}  // namespace system_tls::test
