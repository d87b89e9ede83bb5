// Ticket keys that are exchanged while other threads make tickets and open them.
#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "openssl/context/context.h"
#include "openssl/session/ticket_keys.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using openssl::FixedTicketKeys;
using openssl::SecretBytes;
using openssl::SslPtr;
using openssl::TicketKey;

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

}  // namespace
}  // namespace system_tls::test
