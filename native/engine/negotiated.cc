#include "engine/negotiated.h"

#include <algorithm>

#include "engine/callbacks/hello.h"
#include "engine/callbacks/psk.h"
#include "engine/callbacks/status.h"
#include "engine/connection.h"
#include "openssl/library/encoding.h"

namespace system_tls::engine {

namespace {

openssl::X509Ptr reference(X509* certificate) {
  if (certificate != nullptr) X509_up_ref(certificate);
  return openssl::X509Ptr(certificate);
}

openssl::SslContextPtr reference(SSL_CTX* context) {
  SSL_CTX_up_ref(context);
  return openssl::SslContextPtr(context);
}

openssl::X509StackPtr reference(STACK_OF(X509) * chain) {
  return openssl::X509StackPtr(chain == nullptr ? nullptr : X509_chain_up_ref(chain));
}

// OpenSSL keeps what it has built whatever came of it, and also that of a certificate which the peer has not shown
// again (SSL_VERIFY_CLIENT_ONCE).
openssl::X509StackPtr current_verified_chain(SSL* ssl) {
  STACK_OF(X509)* chain = SSL_get0_verified_chain(ssl);
  const X509* peer = SSL_get0_peer_certificate(ssl);
  if (sk_X509_num(chain) <= 0 || peer == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return nullptr;
  return X509_cmp(sk_X509_value(chain, 0), peer) == 0 ? reference(chain) : nullptr;
}

void append(std::vector<openssl::Bytes>& ders, const STACK_OF(X509) * certificates) {
  for (int index = 0; index < sk_X509_num(certificates); ++index) {
    ders.push_back(openssl::to_der_bytes(sk_X509_value(certificates, index)));
  }
}

std::optional<std::string> alpn_of(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  if (size == 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(name), size);
}

// Where names decide, the one that has decided: OpenSSL tells that of the session that was resumed, or of a second
// hello.
std::optional<std::string> servername_of(const Connection& connection) {
  const HelloState* hello = connection.hello();
  if (hello != nullptr && !hello->name.empty()) return hello->name;
  const char* name = SSL_get_servername(connection.ssl(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::nullopt : std::optional<std::string>(name);
}

Negotiated::Finished finished_of(const SSL* ssl, std::size_t (*get)(const SSL*, void*, std::size_t)) {
  Negotiated::Finished finished;
  finished.size = std::min(get(ssl, finished.bytes.data(), finished.bytes.size()), finished.bytes.size());
  return finished;
}

std::vector<Negotiated::SignatureAlgorithm> shared_sigalgs_of(SSL* ssl) {
  const int count = SSL_get_shared_sigalgs(ssl, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
  std::vector<Negotiated::SignatureAlgorithm> algorithms(static_cast<std::size_t>(std::max(count, 0)));
  for (int index = 0; index < count; ++index) {
    Negotiated::SignatureAlgorithm& algorithm = algorithms[static_cast<std::size_t>(index)];
    SSL_get_shared_sigalgs(ssl, index, &algorithm.key, &algorithm.hash, nullptr, nullptr, nullptr);
  }
  return algorithms;
}

// OpenSSL keeps that of the handshake before, which an abbreviated one of TLS 1.2 does not use.
openssl::PkeyPtr peer_temporary_key_of(const Connection& connection) {
  SSL* ssl = connection.ssl();
  if (SSL_session_reused(ssl) != 0 && !connection.tls13()) return nullptr;
  EVP_PKEY* key = nullptr;
  return openssl::PkeyPtr(SSL_get_peer_tmp_key(ssl, &key) == 1 ? key : nullptr);
}

std::string group_name(const EVP_PKEY* key) {
  std::array<char, 64> name{};
  std::size_t size = 0;
  const openssl::ErrorScope scope;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return {};
  return {name.data(), size};
}

// OpenSSL's lists have names of their own for those that come with a hash.
std::string key_name(int key) {
  switch (key) {
    case EVP_PKEY_RSA:
      return "RSA";
    case EVP_PKEY_RSA_PSS:
      return "RSA-PSS";
    case EVP_PKEY_DSA:
      return "DSA";
    case EVP_PKEY_EC:
      return "ECDSA";
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    default: {
      const char* name = OBJ_nid2sn(key);
      return name == nullptr ? "UNDEF" : name;
    }
  }
}

std::string sigalg_name(const Negotiated::SignatureAlgorithm& algorithm) {
  const char* hash = algorithm.hash == NID_undef ? nullptr : OBJ_nid2sn(algorithm.hash);
  return hash == nullptr ? key_name(algorithm.key) : key_name(algorithm.key) + '+' + hash;
}

openssl::Bytes ders_of(const STACK_OF(X509_NAME) * names) {
  openssl::Bytes ders;
  for (int index = 0; index < sk_X509_NAME_num(names); ++index) {
    const unsigned char* der = nullptr;
    std::size_t size = 0;
    if (X509_NAME_get0_der(sk_X509_NAME_value(names, index), &der, &size) == 1)
      ders.insert(ders.end(), der, der + size);
  }
  return ders;
}

std::vector<std::string> texts_of(const STACK_OF(X509_NAME) * names) {
  std::vector<std::string> texts;
  for (int index = 0; index < sk_X509_NAME_num(names); ++index) {
    texts.push_back(openssl::name_text(sk_X509_NAME_value(names, index)));
  }
  return texts;
}

}  // namespace

Negotiated negotiated_by(const Connection& connection) {
  SSL* ssl = connection.ssl();
  Negotiated result;
  result.server = connection.server();
  if (connection.established()) {
    result.version = SSL_get_version(ssl);
    const long group = SSL_get_negotiated_group(ssl);
    if (group != 0) result.group = SSL_group_to_name(ssl, static_cast<int>(group));
  }
  result.cipher = SSL_get_current_cipher(ssl);
  result.alpn = alpn_of(ssl);
  result.servername = servername_of(connection);
  result.session_reused = SSL_session_reused(ssl) != 0;
  result.security_level = SSL_get_security_level(ssl);
  result.verify_result = SSL_get_verify_result(ssl);
  result.renegotiations = connection.renegotiations();
  if (connection.psk() != nullptr) result.psk_identity = psk_identity(ssl);
  // OpenSSL has a pre-shared key of TLS 1.3 for a session that is resumed.
  if (!result.psk_identity.empty()) result.session_reused = false;
  result.quiet_shutdown = SSL_get_quiet_shutdown(ssl) != 0;
  result.context_tag = connection.context_tag();
  result.peer_certificate = reference(SSL_get0_peer_certificate(ssl));
  result.peer_chain = reference(SSL_get_peer_cert_chain(ssl));
  result.verified_chain = current_verified_chain(ssl);
  result.certificate = reference(SSL_get_certificate(ssl));
  result.context = reference(SSL_get_SSL_CTX(ssl));
  result.peer_ca_list = ders_of(SSL_get0_peer_CA_list(ssl));
  result.shared_sigalgs = shared_sigalgs_of(ssl);
  result.peer_temporary_key = peer_temporary_key_of(connection);
  if (!connection.server()) result.ocsp_response = stapled_response(ssl);
  result.finished = finished_of(ssl, SSL_get_finished);
  result.peer_finished = finished_of(ssl, SSL_get_peer_finished);
  return result;
}

std::vector<openssl::Bytes> peer_chain_of(const Negotiated& negotiated) {
  std::vector<openssl::Bytes> chain;
  // On a server, and there alone, the chain lacks the peer's own certificate (SSL_get_peer_cert_chain(3)).
  if (negotiated.server && negotiated.peer_certificate) {
    chain.push_back(openssl::to_der_bytes(negotiated.peer_certificate.get()));
  }
  append(chain, negotiated.peer_chain.get());
  return chain;
}

std::vector<openssl::Bytes> verified_chain_of(const Negotiated& negotiated) {
  std::vector<openssl::Bytes> chain;
  append(chain, negotiated.verified_chain.get());
  return chain;
}

std::vector<std::string> shared_sigalgs_of(const Negotiated& negotiated) {
  std::vector<std::string> names;
  for (const Negotiated::SignatureAlgorithm& algorithm : negotiated.shared_sigalgs) {
    names.push_back(sigalg_name(algorithm));
  }
  return names;
}

// Of a hybrid group a server has the client's key, of a type that is neither.
std::optional<EphemeralKey> ephemeral_key_of(const Negotiated& negotiated) {
  const EVP_PKEY* key = negotiated.peer_temporary_key.get();
  if (key == nullptr) return std::nullopt;
  const int bits = EVP_PKEY_get_bits(key);
  for (const char* name : {"X25519", "X448"}) {
    if (EVP_PKEY_is_a(key, name) == 1) return EphemeralKey{"ECDH", name, bits};
  }
  if (EVP_PKEY_is_a(key, "EC") == 1) return EphemeralKey{"ECDH", group_name(key), bits};
  if (EVP_PKEY_is_a(key, "DH") == 1) return EphemeralKey{"DH", {}, bits};
  return std::nullopt;
}

std::vector<std::string> peer_ca_list_of(const Negotiated& negotiated) {
  std::vector<std::string> texts;
  const unsigned char* cursor = negotiated.peer_ca_list.data();
  const unsigned char* end = cursor + negotiated.peer_ca_list.size();
  while (cursor != end) {
    const openssl::X509NamePtr name(d2i_X509_NAME(nullptr, &cursor, end - cursor));
    if (!name) break;
    texts.push_back(openssl::name_text(name.get()));
  }
  return texts;
}

// A server's own are those of its context.
std::vector<std::string> client_ca_list_of(const Negotiated& negotiated) {
  if (!negotiated.server || !negotiated.context) return peer_ca_list_of(negotiated);
  return texts_of(SSL_CTX_get_client_CA_list(negotiated.context.get()));
}

}  // namespace system_tls::engine
