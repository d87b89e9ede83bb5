// The context of a server's connection by name: what matches, the question for what does not, and renegotiations, in
// which no client of the suites over sockets changes its name.
#include <openssl/ssl3.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/callbacks/server_names.h"
#include "engine/callbacks/verification.h"
#include "engine/suspension.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Answer;
using engine::ContextChoice;
using engine::Operation;
using engine::ServerNames;

// A context of its own for the server, with the same certificate.
ContextChoice make_choice(int version, std::int32_t tag) {
  Contexts contexts = make_contexts(version);
  let_ask(contexts);
  ContextChoice choice;
  choice.context = std::make_shared<const openssl::Context>(std::move(contexts.server));
  choice.tag = tag;
  return choice;
}

struct NamedPair : Pair {
  NamedPair(int version, std::shared_ptr<const ServerNames> names, const char* name) : Pair(version, {}, true) {
    engine::ConnectionOptions options;
    options.server = true;
    options.names = std::move(names);
    options.limits.renegotiations = 10;
    openssl::FailurePtr failure;
    SSL_CTX_set_options(contexts.server.get(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    server.connection = engine::Connection::create(openssl::SslPtr(SSL_new(contexts.server.get())), options, pool,
                                                   server.events, failure);
    send_name(name);
  }
  void send_name(const char* name) { SSL_set_tlsext_host_name(client.connection->ssl(), name); }
  bool answer(Answer given) { return server.connection->answer(server.events.questions.back().id, std::move(given)); }
};

// The choice for a name, by its tag; 0: none.
std::int32_t tag_in(const ServerNames& names, const std::string& name) {
  const ContextChoice* found = names.find(name);
  return found == nullptr ? 0 : found->tag;
}

ContextChoice with_tag(ContextChoice choice, std::int32_t tag) {
  choice.tag = tag;
  return choice;
}

const Register kPatterns("server names: exact ones first, and a wildcard for one label", [] {
  ServerNames names;
  std::int32_t tag = 0;
  for (const char* pattern : {"a.example", "*.example", "*.b.example"}) {
    names.add(pattern, make_choice(TLS1_3_VERSION, ++tag));
  }
  const auto tag_of = [&names](const char* name) { return tag_in(names, name); };
  CHECK(tag_of("a.example") == 1 && tag_of("c.example") == 2 && tag_of("b.example") == 2);
  CHECK(tag_of("c.b.example") == 3 && tag_of("d.c.b.example") == 0);
  CHECK(tag_of("example") == 0 && tag_of("") == 0 && tag_of(".example") == 2 && tag_of("*.example") == 2);
  return true;
});

const Register kGenerations("server names: a generation keeps its names, whatever those that follow add or remove", [] {
  const ContextChoice choice = make_choice(TLS1_3_VERSION, 1);
  const auto first = std::make_shared<ServerNames>();
  first->asks = true;
  first->add("a.example", choice);
  first->add("*.example", with_tag(choice, 2));
  const auto second = std::make_shared<ServerNames>(first);
  second->remove("a.example");
  second->remove("never.example");
  second->add("b.example", with_tag(choice, 3));
  const auto third = std::make_shared<ServerNames>(second);
  third->add("b.example", with_tag(choice, 4));
  third->remove("*.example");
  // What a wildcard matches is no name that could be removed by itself.
  third->remove("z.example");
  CHECK(tag_in(*first, "a.example") == 1 && tag_in(*first, "b.example") == 2);
  CHECK(tag_in(*second, "a.example") == 2 && tag_in(*second, "b.example") == 3);
  CHECK(tag_in(*third, "a.example") == 0 && tag_in(*third, "b.example") == 4 && tag_in(*third, "z.example") == 0);
  CHECK(first->asks && !second->asks && !third->asks);
  third->add("a.example", with_tag(choice, 5));
  CHECK(tag_in(*third, "a.example") == 5 && tag_in(*second, "a.example") == 2 && tag_in(*first, "a.example") == 1);
  CHECK(ServerNames(std::shared_ptr<const ServerNames>()).find("a.example") == nullptr);
  return true;
});

const Register kAnyGeneration("server names: each of 100 generations has what was added to it, and nothing else", [] {
  constexpr int kNames = 600;  // more than there are buckets
  const ContextChoice choice = make_choice(TLS1_3_VERSION, 1);
  std::minstd_rand random(1);
  std::vector<std::shared_ptr<const ServerNames>> generations{nullptr};
  std::vector<std::map<std::string, std::int32_t>> expected{{}};
  for (std::int32_t tag = 1; generations.size() <= 100;) {
    const auto next = std::make_shared<ServerNames>(generations.back());
    std::map<std::string, std::int32_t> names = expected.back();
    for (auto changes = random() % 30; changes > 0; --changes) {
      const std::string name = "n" + std::to_string(random() % kNames);
      if (random() % 3 == 0) {
        next->remove(name);
        names.erase(name);
      } else {
        next->add(name, with_tag(choice, ++tag));
        names[name] = tag;
      }
    }
    generations.push_back(next);
    expected.push_back(std::move(names));
  }
  for (std::size_t each = 1; each < generations.size(); ++each) {
    for (int n = 0; n < kNames; ++n) {
      const std::string name = "n" + std::to_string(n);
      const auto found = expected[each].find(name);
      CHECK(tag_in(*generations[each], name) == (found == expected[each].end() ? 0 : found->second));
    }
  }
  return true;
});

const Register kReplaced("server names: a context lives as long as a generation that has it, and no longer", [] {
  auto names = std::make_shared<const ServerNames>();
  std::vector<std::weak_ptr<const openssl::Context>> contexts;
  std::shared_ptr<const ServerNames> kept;
  for (std::int32_t tag = 1; tag <= 50; ++tag) {
    ContextChoice choice = make_choice(TLS1_3_VERSION, tag);
    contexts.push_back(choice.context);
    const auto next = std::make_shared<ServerNames>(names);
    next->add("a.example", std::move(choice));
    names = next;
    if (tag == 10) kept = names;
  }
  const auto living = [&contexts] {
    return std::count_if(contexts.begin(), contexts.end(), [](const auto& context) { return !context.expired(); });
  };
  CHECK(living() == 2 && !contexts[9].expired() && !contexts[49].expired());
  CHECK(kept->find("a.example")->context == contexts[9].lock());
  kept.reset();
  CHECK(living() == 1);
  const auto without = std::make_shared<ServerNames>(names);
  without->remove("a.example");
  CHECK(living() == 1);
  names.reset();
  CHECK(living() == 0 && without->find("a.example") == nullptr);
  return true;
});

const Register kThreads("server names: a thread finds what stays while generations are made and dropped", [] {
  const ContextChoice choice = make_choice(TLS1_3_VERSION, 1);
  const auto first = std::make_shared<ServerNames>();
  for (int n = 0; n < 100; ++n) first->add("n" + std::to_string(n), choice);
  std::mutex mutex;
  std::shared_ptr<const ServerNames> newest = first;
  std::atomic<bool> ends = false;
  std::int64_t missed = 0;
  std::thread reader([&] {
    while (!ends) {
      std::shared_ptr<const ServerNames> names;
      {
        const std::lock_guard lock(mutex);
        names = newest;
      }
      for (int n = 0; n < 100; ++n) missed += tag_in(*names, "n" + std::to_string(n)) == 1 ? 0 : 1;
    }
  });
  for (int change = 0; change < 1000; ++change) {
    // Names that come and go lie in the same buckets as those that stay.
    const auto next = std::make_shared<ServerNames>(newest);
    next->add("m" + std::to_string(change), choice);
    if (change > 0) next->remove("m" + std::to_string(change - 1));
    const std::lock_guard lock(mutex);
    newest = next;
  }
  ends = true;
  reader.join();
  CHECK(missed == 0);
  return true;
});

const Register kAsked("server names: a question, answered with a context, with none, with an alert, and with nothing",
                      [] {
                        for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
                          const auto names = std::make_shared<ServerNames>();
                          names->asks = true;
                          const ContextChoice choice = make_choice(version, 7);
                          {
                            NamedPair pair(version, names, "Some.Example.");
                            pair.handshake();
                            CHECK(pair.server.connection->suspended() && !pair.server.connection->uses_job());
                            CHECK(pair.server.events.questions.size() == 1);
                            const auto& subject = *pair.server.events.questions[0].subject;
                            CHECK(subject.kind() == engine::ServerNameSubject::kKind);
                            CHECK(static_cast<const engine::ServerNameSubject&>(subject).name == "some.example");
                            CHECK(pair.answer({[&choice](SSL* ssl) { return engine::switch_context(ssl, choice); }}));
                            CHECK(!pair.answer(Answer::of(0)));
                            pair.pump();
                            CHECK(pair.server.connection->established() && pair.server.connection->context_tag() == 7);
                            CHECK(SSL_get_SSL_CTX(pair.server.connection->ssl()) == choice.context->get());
                          }
                          {
                            NamedPair pair(version, names, "some.example");
                            pair.handshake();
                            pair.answer(Answer::of(0));
                            pair.pump();
                            CHECK(pair.server.connection->established() && pair.server.connection->context_tag() == 0);
                          }
                          {
                            NamedPair pair(version, names, "some.example");
                            pair.handshake();
                            pair.answer(Answer::of(SSL_AD_ACCESS_DENIED));
                            pair.pump();
                            CHECK(pair.server.events.failed_count == 1 && pair.client.events.failed_count == 1);
                            CHECK(pair.client.events.failure->alert.description == SSL_AD_ACCESS_DENIED);
                          }
                          {
                            NamedPair pair(version, names, "some.example");
                            pair.handshake();
                            pair.server.connection->fail(engine::Connection::suspended_failure());
                            CHECK(!pair.answer(Answer::of(0)));
                          }
                          // Freed while it waits.
                          NamedPair pair(version, names, "some.example");
                          pair.handshake();
                        }
                        return true;
                      });

const Register kRenegotiated("server names: a renegotiation keeps its name, and with it its context", [] {
  for (const bool by_server : {false, true}) {
    for (const bool same : {true, false}) {
      const auto names = std::make_shared<ServerNames>();
      names->add("a.example", make_choice(TLS1_2_VERSION, 1));
      names->add("b.example", make_choice(TLS1_2_VERSION, 2));
      NamedPair pair(TLS1_2_VERSION, names, "a.example");
      SSL_CTX_set_options(const_cast<SSL_CTX*>(names->find("a.example")->context->get()),
                          SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
      CHECK(pair.handshake() && pair.server.connection->context_tag() == 1);
      pair.client.read();
      pair.server.read();
      pair.send_name(same ? "A.example" : "b.example");
      (by_server ? pair.server : pair.client).start(Operation::Renegotiate{});
      pair.pump();
      CHECK(pair.server.connection->context_tag() == 1);
      if (same) {
        CHECK(pair.server.connection->renegotiations() == 1 && pair.server.events.failed_count == 0);
      } else {
        CHECK(pair.server.events.failed_count == 1);
        CHECK(pair.server.events.failure->code == "ERR_TLS_UNRECOGNIZED_NAME");
        CHECK(pair.client.events.failure->alert.description == SSL_AD_ILLEGAL_PARAMETER);
      }
    }
  }
  return true;
});

// A client that changes its name where a HelloRetryRequest, whose random begins so (RFC 8446 section 4.1.3), has come.
void change_name(int sent, int, int, const void* bytes, std::size_t size, SSL* ssl, void*) {
  const auto* message = static_cast<const std::uint8_t*>(bytes);
  constexpr std::size_t kRandom = 6;
  if (sent == 0 && size > kRandom + 1 && message[0] == SSL3_MT_SERVER_HELLO && message[kRandom] == 0xcf &&
      message[kRandom + 1] == 0x21) {
    SSL_set_tlsext_host_name(ssl, "b.example");
  }
}

const Register kSecondHello("server names: a second ClientHello has the name of the first one", [] {
  for (const char* first : {"a.example", "unknown.example", "b.example"}) {
    const auto names = std::make_shared<ServerNames>();
    names->add("a.example", make_choice(TLS1_3_VERSION, 1));
    names->add("b.example", make_choice(TLS1_3_VERSION, 2));
    NamedPair pair(TLS1_3_VERSION, names, first);
    SSL_set1_groups_list(pair.server.connection->ssl(), "P-384");
    SSL_set1_groups_list(pair.client.connection->ssl(), "X25519:P-384");
    SSL_set_msg_callback(pair.client.connection->ssl(), change_name);
    const bool same = std::string(first) == "b.example";
    CHECK(pair.handshake() == same);
    if (same) continue;
    CHECK(pair.server.events.failure->code == "ERR_TLS_UNRECOGNIZED_NAME");
    CHECK(pair.client.events.failure->alert.description == SSL_AD_ILLEGAL_PARAMETER);
  }
  return true;
});

// A verification that waits needs a job, a name that is known needs none before it is known.
const Register kJob("server names: a context that verifies by asking gets a job, and others do not", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto names = std::make_shared<ServerNames>();
    ContextChoice asks = make_choice(version, 1);
    asks.verification = ContextChoice::Verification{SSL_VERIFY_PEER, false, true, {}};
    names->add("a.example", asks);
    NamedPair pair(version, names, "a.example");
    pair.handshake();
    CHECK(pair.server.connection->uses_job());
    CHECK(pair.server.events.questions.back().subject->kind() == engine::VerificationSubject::kKind);
    CHECK(pair.answer(Answer::of(X509_V_OK)));
    pair.pump();
    CHECK(pair.server.connection->established());
    // The report is not kept.
    CHECK(pair.server.connection->suspension()->subject() == nullptr);
    NamedPair other(version, names, "other");
    CHECK(other.handshake() && other.server.events.questions.empty());
  }
  return true;
});

}  // namespace
}  // namespace system_tls::test
