// What a handshake asks besides verification and names: the ClientHello, the protocol, certificates on both sides,
// OCSP. Here without JavaScript: how often it is asked, what becomes of an answer that OpenSSL refuses, and what is
// left behind.
#include <openssl/evp.h>
#include <openssl/ssl3.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/callbacks/alpn.h"
#include "engine/callbacks/certificate.h"
#include "engine/callbacks/client_hello.h"
#include "engine/callbacks/hello.h"
#include "engine/callbacks/status.h"
#include "engine/hooks.h"
#include "engine/suspension.h"
#include "openssl/context/identity.h"
#include "test/check.h"
#include "test/peers.h"

namespace system_tls::test {
namespace {

using engine::Answer;
using engine::ConnectionOptions;
using engine::Operation;

// Asks nothing.
constexpr std::uint32_t kNothing = 0;
constexpr std::uint32_t kCertificate = engine::kAskCertificate;
constexpr std::uint32_t kStatusRequest = engine::kAskStatusRequest;
// RFC 6960 section 4.2.1, of nothing but its status.
const openssl::Bytes kResponse{0x30, 3, 0x0a, 1, 1};
constexpr std::uint8_t kOffer[] = {1, 'a', 1, 'b'};

// As contexts of ours have it.
int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* size, const unsigned char* offered,
                 unsigned offered_size, void*) {
  const auto chosen = engine::context_hooks().protocol(ssl, openssl::ByteView(offered, offered_size));
  if (!chosen) return SSL_TLSEXT_ERR_NOACK;
  if (chosen->empty()) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen->data();
  *size = static_cast<unsigned char>(chosen->size());
  return SSL_TLSEXT_ERR_OK;
}

// Both ends made anew, with what they may ask.
struct AskingPair : Pair {
  AskingPair(int version, std::uint32_t of_server, std::uint32_t of_client, bool status = false)
      : Pair(version, {}, true) {
    SSL_CTX_set_tlsext_status_cb(contexts.server.get(), engine::context_hooks().status);
    SSL_CTX_set_tlsext_status_cb(contexts.client.get(), engine::context_hooks().status);
    SSL_CTX_set_alpn_select_cb(contexts.server.get(), on_protocols, nullptr);
    SSL_CTX_set_options(contexts.server.get(), SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
    ConnectionOptions options;
    openssl::FailurePtr failure;
    options.limits.renegotiations = 10;
    options.asks = of_client;
    options.verify_host = "localhost";
    options.request_status = status;
    client.connection = engine::Connection::create(openssl::SslPtr(SSL_new(contexts.client.get())), options, pool,
                                                   client.events, failure);
    options.verify_host.clear();
    options.request_status = false;
    options.server = true;
    options.asks = of_server;
    server.connection = engine::Connection::create(openssl::SslPtr(SSL_new(contexts.server.get())), options, pool,
                                                   server.events, failure);
    SSL_set_alpn_protos(client.connection->ssl(), kOffer, sizeof(kOffer));
  }
  // A HelloRetryRequest will come.
  void differ_in_groups() {
    SSL_set1_groups_list(server.connection->ssl(), "P-384");
    SSL_set1_groups_list(client.connection->ssl(), "X25519:P-384");
  }
};

bool answer(End& end, Answer given) { return end.connection->answer(end.events.questions.back().id, std::move(given)); }

std::size_t asked(const End& end) { return end.events.questions.size(); }
std::int32_t kind_of(const End& end) { return end.events.questions.back().subject->kind(); }

// The server's own certificate, as an answer; `broken`: with a key of another.
std::shared_ptr<const openssl::Identity> identity_of(const Contexts& contexts, bool broken = false) {
  auto identity = std::make_shared<openssl::Identity>();
  X509* leaf = SSL_CTX_get0_certificate(contexts.server.get());
  EVP_PKEY* key = SSL_CTX_get0_privatekey(contexts.server.get());
  X509_up_ref(leaf);
  openssl::PkeyPtr used;
  if (broken) {
    used.reset(EVP_EC_gen("P-256"));
  } else {
    EVP_PKEY_up_ref(key);
    used.reset(key);
  }
  identity->entries.push_back({openssl::X509Ptr(leaf), nullptr, std::move(used)});
  return identity;
}

Answer certificate_answer(std::shared_ptr<const openssl::Identity> identity) {
  return {[identity = std::move(identity)](SSL* ssl) { return engine::use_answer(ssl, *identity); }};
}

const Register kOnce("handshake callbacks: a second ClientHello asks nothing anew", [] {
  constexpr std::uint32_t kAll =
      engine::kAskClientHello | engine::kAskProtocol | engine::kAskCertificate | engine::kAskStatusRequest;
  AskingPair pair(TLS1_3_VERSION, kAll, 0, true);
  pair.differ_in_groups();
  pair.handshake();
  CHECK(asked(pair.server) == 1 && kind_of(pair.server) == engine::ClientHelloSubject::kKind);
  CHECK(!pair.server.connection->uses_job());
  const auto& hello = static_cast<const engine::ClientHelloSubject&>(*pair.server.events.questions[0].subject);
  CHECK(!hello.renegotiation && hello.message.size() > 40 && hello.message[0] == SSL3_MT_CLIENT_HELLO);
  CHECK(answer(pair.server, Answer::of(0)));
  pair.pump();
  CHECK(asked(pair.server) == 2 && kind_of(pair.server) == engine::ProtocolSubject::kKind);
  CHECK(answer(pair.server, {[](SSL* ssl) { return engine::note_protocol(ssl, openssl::ByteView(kOffer + 3, 1)); }}));
  pair.pump();
  CHECK(asked(pair.server) == 3 && kind_of(pair.server) == engine::CertificateSubject::kKind);
  CHECK(answer(pair.server, Answer::of(1)));
  pair.pump();
  CHECK(asked(pair.server) == 4 && kind_of(pair.server) == engine::StatusRequestSubject::kKind);
  const openssl::Bytes response = kResponse;
  CHECK(answer(pair.server, {[response](SSL* ssl) { return engine::keep_response(ssl, response); }}));
  pair.pump();
  CHECK(asked(pair.server) == 4 && pair.server.connection->established() && pair.client.connection->established());
  CHECK(engine::stapled_response(pair.client.connection->ssl()) == response);
  const unsigned char* protocol = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(pair.client.connection->ssl(), &protocol, &size);
  CHECK(size == 1 && *protocol == 'b');
  // The message is not kept.
  CHECK(pair.server.connection->hello()->message.empty());
  return true;
});

const Register kRefused("handshake callbacks: a certificate whose key is another ends the handshake on both sides", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool on_server : {true, false}) {
      AskingPair pair(version, on_server ? kCertificate : kNothing, on_server ? kNothing : kCertificate);
      if (!on_server) SSL_set_verify(pair.server.connection->ssl(), SSL_VERIFY_PEER, nullptr);
      pair.handshake();
      End& own = on_server ? pair.server : pair.client;
      const End& other = on_server ? pair.client : pair.server;
      CHECK(asked(own) == 1 && kind_of(own) == engine::CertificateSubject::kKind);
      const auto& request = static_cast<const engine::CertificateSubject&>(*own.events.questions[0].subject);
      CHECK(!request.signature_schemes.empty() && request.types.empty() == (on_server || version == TLS1_3_VERSION));
      CHECK(answer(own, certificate_answer(identity_of(pair.contexts, true))));
      pair.pump();
      CHECK(own.events.failure != nullptr && other.events.failure != nullptr);
      CHECK(own.events.failure->question == own.events.questions[0].id && !own.events.failure->errors.empty());
      CHECK(!other.connection->established() || version == TLS1_3_VERSION);
    }
  }
  return true;
});

const Register kEachTime("handshake callbacks: a client is asked for each request, a server for each handshake", [] {
  AskingPair pair(TLS1_2_VERSION, engine::kAskCertificate, engine::kAskCertificate);
  SSL_set_verify(pair.server.connection->ssl(), SSL_VERIFY_PEER, nullptr);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(pair.contexts.server.get()),
                      SSL_CTX_get0_certificate(pair.contexts.server.get()));
  const auto identity = identity_of(pair.contexts);
  const auto run = [&] {
    pair.pump();
    CHECK(answer(pair.server, certificate_answer(identity)));
    pair.pump();
    CHECK(answer(pair.client, certificate_answer(identity)));
    pair.pump();
    return true;
  };
  pair.client.start(Operation::Handshake{});
  pair.server.start(Operation::Handshake{});
  CHECK(run());
  CHECK(pair.client.connection->established() && pair.server.connection->established());
  pair.server.read();
  pair.client.read();
  pair.client.start(Operation::Renegotiate{});
  CHECK(run());
  CHECK(asked(pair.server) == 2 && asked(pair.client) == 2);
  CHECK(pair.client.events.renegotiated_count == 1 && pair.server.events.renegotiated_count == 1);
  return true;
});

const Register kAbandoned("handshake callbacks: who is closed while it waits leaves nothing, and takes no answer", [] {
  struct Case {
    std::uint32_t of_server;
    std::uint32_t of_client;
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Case& each :
         {Case{engine::kAskClientHello, 0}, Case{engine::kAskProtocol, 0}, Case{engine::kAskCertificate, 0},
          Case{engine::kAskStatusRequest, 0}, Case{0, engine::kAskStatus}, Case{0, engine::kAskCertificate}}) {
      for (const bool answered : {false, true}) {
        AskingPair pair(version, each.of_server, each.of_client, true);
        if (each.of_client == engine::kAskCertificate) {
          SSL_set_verify(pair.server.connection->ssl(), SSL_VERIFY_PEER, nullptr);
        }
        pair.handshake();
        End& own = each.of_server != 0 ? pair.server : pair.client;
        CHECK(asked(own) == 1 && own.connection->suspended());
        CHECK(own.connection->uses_job() == (each.of_client == engine::kAskStatus));
        const std::weak_ptr<const engine::Subject> subject = own.events.questions[0].subject;
        if (answered) CHECK(answer(own, Answer::of(1)));
        own.events.questions.clear();
        own.connection.reset();
        CHECK(subject.expired());
      }
    }
  }
  return true;
});

const Register kStatus("handshake callbacks: a response is judged, and without one too", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const int result : {1, 0, -1}) {
      for (const bool staples : {true, false}) {
        AskingPair pair(version, staples ? kStatusRequest : kNothing, engine::kAskStatus, true);
        pair.handshake();
        const openssl::Bytes response = kResponse;
        if (staples)
          CHECK(answer(pair.server, {[response](SSL* ssl) { return engine::keep_response(ssl, response); }}));
        pair.pump();
        CHECK(asked(pair.client) == 1 && pair.client.connection->uses_job());
        const auto& subject = static_cast<const engine::StatusSubject&>(*pair.client.events.questions[0].subject);
        CHECK(subject.response == (staples ? response : openssl::Bytes()));
        CHECK(answer(pair.client, Answer::of(result)));
        pair.pump();
        CHECK(pair.client.connection->established() == (result == 1));
        if (result == 1) continue;
        const int alert = result == 0 ? SSL_AD_BAD_CERTIFICATE_STATUS_RESPONSE : SSL_AD_INTERNAL_ERROR;
        CHECK(pair.client.events.failure->alert.description == alert);
        CHECK(pair.server.events.failure != nullptr);
      }
    }
  }
  return true;
});

const Register kAlerts("handshake callbacks: an alert for an answer is sent", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    AskingPair pair(version, engine::kAskClientHello, 0);
    pair.handshake();
    CHECK(answer(pair.server, Answer::of(SSL_AD_ACCESS_DENIED)));
    pair.pump();
    CHECK(pair.client.events.failure->alert.description == SSL_AD_ACCESS_DENIED);
    CHECK(pair.server.events.failure != nullptr && asked(pair.server) == 1);
  }
  return true;
});

}  // namespace
}  // namespace system_tls::test
