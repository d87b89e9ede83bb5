// Ticket keys that are exchanged while other threads make tickets and open them.
#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "openssl/context/context.h"
#include "openssl/session/ticket_key_ring.h"
#include "openssl/session/ticket_keys.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using openssl::FixedTicketKeys;
using openssl::SecretBytes;
using openssl::SslPtr;
using openssl::TicketKey;
using openssl::TicketKeyRing;
using openssl::TicketKeys;

std::shared_ptr<const FixedTicketKeys> random_keys() {
  SecretBytes bytes(TicketKey::kSize);
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return std::make_shared<const FixedTicketKeys>(TicketKey(std::move(bytes)));
}

// A server's context as the package makes it, with the certificate of the tests.
std::shared_ptr<const openssl::Context> make_server(int version, const Contexts& from) {
  openssl::ContextOptions options;
  options.min_version = options.max_version = version;
  auto [context, failure] = openssl::Context::create(options, {});
  if (context == nullptr) return nullptr;
  SSL_CTX_use_certificate(context->get(), SSL_CTX_get0_certificate(from.server.get()));
  SSL_CTX_use_PrivateKey(context->get(), SSL_CTX_get0_privatekey(from.server.get()));
  return context;
}

// The session that a client has after a handshake in which it offered `offered`; null if that failed.
openssl::SessionPtr connect(SSL_CTX* client_context, const openssl::Context& server_context, SSL_SESSION* offered,
                            bool& reused) {
  const SslPtr client(SSL_new(client_context));
  const SslPtr server = server_context.new_ssl(true);
  BIO* to_server = BIO_new(BIO_s_mem());
  BIO* to_client = BIO_new(BIO_s_mem());
  BIO_up_ref(to_server);
  BIO_up_ref(to_client);
  SSL_set_bio(client.get(), to_client, to_server);
  SSL_set_bio(server.get(), to_server, to_client);
  SSL_set_connect_state(client.get());
  SSL_set_accept_state(server.get());
  if (offered != nullptr) SSL_set_session(client.get(), offered);
  for (int round = 0; round < 4; ++round) {
    SSL_do_handshake(client.get());
    SSL_do_handshake(server.get());
    char byte = 0;
    SSL_read(client.get(), &byte, 1);
  }
  if (SSL_is_init_finished(client.get()) != 1 || SSL_is_init_finished(server.get()) != 1) return nullptr;
  reused = SSL_session_reused(server.get()) == 1;
  // Otherwise the session would be one that must not be resumed.
  SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_set_shutdown(server.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  return openssl::SessionPtr(SSL_get1_session(client.get()));
}

bool has_name(const SSL_SESSION* session, const TicketKey& key) {
  const unsigned char* ticket = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ticket(session, &ticket, &size);
  return size > TicketKey::kNameSize && key.is_named(ticket);
}

const Register kRotated("ticket keys: a ticket that is made while they are exchanged is whole", [] {
  constexpr int kThreads = 2;
  constexpr int kHandshakes = 200;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const Contexts contexts = make_contexts(version);
    SSL_CTX_set_verify(contexts.client.get(), SSL_VERIFY_NONE, nullptr);
    const auto server = make_server(version, contexts);
    CHECK(server != nullptr);
    const std::array<std::shared_ptr<const FixedTicketKeys>, 2> keys{random_keys(), random_keys()};
    server->set_ticket_keys(keys[0]);
    std::atomic<int> running{kThreads};
    std::array<std::vector<openssl::SessionPtr>, kThreads> sessions;
    std::vector<std::thread> threads;
    for (auto& mine : sessions) {
      threads.emplace_back([&contexts, &server, &running, &mine] {
        for (int count = 0; count < kHandshakes; ++count) {
          bool reused = false;
          // Whether it is resumed is a matter of the keys of that moment; that it succeeds is not.
          mine.push_back(connect(contexts.client.get(), *server, mine.empty() ? nullptr : mine.back().get(), reused));
        }
        --running;
      });
    }
    std::size_t exchanges = 0;
    while (running > 0) server->set_ticket_keys(keys[++exchanges % keys.size()]);
    for (std::thread& thread : threads) thread.join();
    CHECK(exchanges > kHandshakes);
    for (const auto& each : keys) {
      server->set_ticket_keys(each);
      const TicketKey& key = each->keys_at(0)->newest();
      for (const auto& mine : sessions) {
        for (const auto& session : mine) {
          CHECK(session != nullptr);
          CHECK(has_name(session.get(), keys[0]->keys_at(0)->newest()) ||
                has_name(session.get(), keys[1]->keys_at(0)->newest()));
          if (!has_name(session.get(), key)) continue;
          bool reused = false;
          CHECK(connect(contexts.client.get(), *server, session.get(), reused) != nullptr && reused);
        }
      }
    }
  }
  return true;
});

SecretBytes counting_secret() {
  SecretBytes secret(32);
  std::iota(secret.begin(), secret.end(), std::uint8_t{0});
  return secret;
}

// Made by Python's hmac after RFC 5869, from what docs/guide/sessions-of-a-fleet.md says.
const Register kDerived("ticket key ring: the keys of a period are those of the documented derivation", [] {
  constexpr const char* kExpected =
      "c1e1e3368c154b642f52ee2550ff7bbb96bfca289c9a52b1eba95a0ecea98e771ac62ad4e30dd2217e0f9f71b47f17a0"
      "bd3db784977358d51d60893477f5d0d9a5eb60f19e391402d887d22b175eabaf";
  const auto ring = TicketKeyRing::create(counting_secret(), 3600, 1).ring;
  CHECK(ring != nullptr);
  for (const std::int64_t second : {0, 1, 3599}) {
    std::string hex;
    for (const std::uint8_t byte : ring->keys_at(500000LL * 3600 + second)->newest().bytes()) {
      constexpr const char* kDigits = "0123456789abcdef";
      hex += {kDigits[byte >> 4], kDigits[byte & 15]};
    }
    CHECK(hex == kExpected);
  }
  return true;
});

const Register kPeriods("ticket key ring: a set for each period, whichever way the clock goes", [] {
  const auto ring = TicketKeyRing::create(counting_secret(), 10, 2).ring;
  CHECK(ring != nullptr);
  const auto name_at = [&ring](std::int64_t now) { return ring->keys_at(now)->newest().bytes(); };
  CHECK(name_at(1000) == name_at(1009) && name_at(1000) != name_at(1010) && name_at(1000) != name_at(999));
  const auto kept = ring->keys_at(1000);
  CHECK(kept == ring->keys_at(1005));
  for (const int away : {-3, -2, -1, 0, 1, 2}) {
    const auto key = name_at(1000 + 10 * away);
    const TicketKeys::Found found = ring->keys_at(1000)->find(key.data());
    CHECK((found.key != nullptr) == (away >= -2 && away <= 1));
    CHECK(found.key == nullptr || found.key->bytes() == key);
    CHECK(found.key == nullptr || found.renew == (away < 0));
  }
  // What a handshake has stays as it is.
  CHECK(kept->find(name_at(2000).data()).key == nullptr && kept->find(name_at(980).data()).key != nullptr);
  // At the very beginning of time there are no earlier periods.
  CHECK(ring->keys_at(0)->find(name_at(0).data()).key != nullptr);
  return true;
});

const Register kAskedByMany("ticket key ring: many threads ask while the time goes on", [] {
  const auto ring = TicketKeyRing::create(counting_secret(), 1, 3).ring;
  CHECK(ring != nullptr);
  std::atomic<int> lost{0};
  std::vector<std::thread> threads;
  for (int count = 0; count < 4; ++count) {
    threads.emplace_back([&ring, &lost, count] {
      for (std::int64_t now = 0; now < 500; ++now) {
        // Not all clocks agree.
        const auto keys = ring->keys_at(1000 + now + count % 2);
        const auto later = ring->keys_at(1001 + now + count % 2);
        if (later->find(keys->newest().bytes().data()).key == nullptr) ++lost;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(lost == 0);
  return true;
});

}  // namespace
}  // namespace system_tls::test
