#include "test/peers.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>

#include "engine/hooks.h"
#include "openssl/context/attachment.h"
#include "openssl/trust/verification.h"

namespace system_tls::test {

using engine::Operation;
using engine::OperationId;

namespace {

struct Identity {
  openssl::PkeyPtr key;
  openssl::X509Ptr certificate;
};

Identity make_identity() {
  Identity identity{openssl::PkeyPtr(EVP_EC_gen("P-256")), openssl::X509Ptr(X509_new())};
  X509* certificate = identity.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  X509_set_pubkey(certificate, identity.key.get());
  X509_sign(certificate, identity.key.get(), EVP_sha256());
  return identity;
}

openssl::SslContextPtr make_context(int version) {
  openssl::SslContextPtr context(SSL_CTX_new((version >> 8) == DTLS1_VERSION_MAJOR ? DTLS_method() : TLS_method()));
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_mode(context.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  return context;
}

}  // namespace

Contexts make_contexts(int version) {
  static const Identity identity = make_identity();
  Contexts contexts{make_context(version), make_context(version)};
  SSL_CTX_use_certificate(contexts.server.get(), identity.certificate.get());
  SSL_CTX_use_PrivateKey(contexts.server.get(), identity.key.get());
  X509_STORE_add_cert(SSL_CTX_get_cert_store(contexts.client.get()), identity.certificate.get());
  SSL_CTX_set_verify(contexts.client.get(), SSL_VERIFY_PEER, nullptr);
  return contexts;
}

void let_ask(const Contexts& contexts) {
  for (SSL_CTX* context : {contexts.server.get(), contexts.client.get()}) {
    openssl::attach(context, openssl::Attachment{engine::context_hooks(), {}, {}, {}});
    openssl::use_verify_hook(context);
    SSL_CTX_set_client_hello_cb(context, engine::context_hooks().client_hello, nullptr);
  }
  SSL_CTX_use_certificate(contexts.client.get(), SSL_CTX_get0_certificate(contexts.server.get()));
  SSL_CTX_use_PrivateKey(contexts.client.get(), SSL_CTX_get0_privatekey(contexts.server.get()));
}

void Recorder::operation_done(OperationId id, std::int64_t result) {
  done[id] = result;
  order.push_back(id);
}

void Recorder::operation_failed(OperationId id, openssl::FailurePtr failed) {
  failures[id] = std::move(failed);
  order.push_back(id);
}

void Recorder::data(OperationId id, std::span<const std::uint8_t> bytes) {
  std::string& to = id == engine::kFlow ? flow : reads[id];
  to.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void Recorder::failed(openssl::FailurePtr failed) {
  failure = std::move(failed);
  ++failed_count;
}

OperationId End::start(Operation::What what) {
  connection->start({next, std::move(what)});
  return next++;
}

OperationId End::write(std::string bytes) {
  const std::size_t length = bytes.size();
  return start(Operation::Write{std::make_unique<Source>(std::move(bytes)), 0, length});
}

OperationId End::read(std::size_t max) {
  const OperationId id = next++;
  connection->start_read({id, max, nullptr});
  return id;
}

Pair::Pair(int version, const engine::Limits& limits, bool asking) : contexts(make_contexts(version)) {
  if (asking) let_ask(contexts);
  openssl::FailurePtr failure;
  engine::ConnectionOptions options;
  options.limits = limits;
  options.verify_host = "localhost";
  client.connection = engine::Connection::create(openssl::SslPtr(SSL_new(contexts.client.get())), options, pool,
                                                 client.events, failure);
  options.verify_host.clear();
  options.server = true;
  server.connection = engine::Connection::create(openssl::SslPtr(SSL_new(contexts.server.get())), options, pool,
                                                 server.events, failure);
}

bool Pair::move(End& from, End& to, std::size_t fragment) {
  from.connection->advance();
  engine::ByteQueue& out = from.connection->enc().out;
  if (out.empty() || !to.connection->wants_input()) return false;
  std::vector<std::uint8_t> bytes(std::min(fragment, out.size()));
  out.take(bytes);
  to.connection->enc().in.lend(bytes);
  to.connection->advance();
  to.connection->enc().in.reclaim();
  return true;
}

void Pair::pump(std::size_t fragment) {
  bool moved = true;
  while (moved) {
    const bool there = move(client, server, fragment);
    const bool back = move(server, client, fragment);
    moved = there || back;
  }
}

bool Pair::handshake(std::size_t fragment) {
  client.start(Operation::Handshake{});
  server.start(Operation::Handshake{});
  pump(fragment);
  return client.connection->established() && server.connection->established();
}

}  // namespace system_tls::test
