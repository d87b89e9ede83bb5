#include "openssl/identity.h"

#include <openssl/err.h>

#include <string>
#include <utility>
#include <vector>

#include "openssl/credentials.h"
#include "openssl/encoding.h"
#include "openssl/trust.h"

namespace system_tls::openssl {

namespace {

// A leaf with the certificates that its owner sends along.
struct Chain {
  std::string name;
  X509Ptr leaf;
  std::vector<X509Ptr> issuers;
};

std::string indexed(const char* option, std::size_t index) {
  return std::string(option) + "[" + std::to_string(index) + "]";
}

Chain make_chain(std::string name, std::vector<X509Ptr> certificates) {
  Chain chain{std::move(name), std::move(certificates.front()), {}};
  for (std::size_t index = 1; index < certificates.size(); ++index) {
    chain.issuers.push_back(std::move(certificates[index]));
  }
  return chain;
}

int key_type(const Chain& chain) {
  EVP_PKEY* key = X509_get0_pubkey(chain.leaf.get());
  return key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
}

// OpenSSL keeps one certificate for each type of key and would replace the first without a word; most often the second
// is an intermediate that belongs into the first one's PEM.
FailurePtr check_distinct(const std::vector<Chain>& chains, const Chain& chain) {
  for (const Chain& other : chains) {
    if (key_type(other) != key_type(chain)) continue;
    return named_failure(
        "ERR_TLS_INVALID_INPUT",
        chain.name + " has a key of the same type as " + other.name +
            ", and a context holds one certificate for each type; a chain goes into one PEM, leaf first");
  }
  return nullptr;
}

// A certificate given alone: what ca and the system's store know of its issuers goes with it
// (SSL_CTX_build_cert_chain(3)). Finding none is no failure: the peer may know them.
void complete_chain(SSL_CTX* context) {
  constexpr int kFlags =
      SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR;
  SSL_CTX_build_cert_chain(context, kFlags);
  ERR_clear_error();
}

FailurePtr use_chain(SSL_CTX* context, const Chain& chain) {
  if (SSL_CTX_use_certificate(context, chain.leaf.get()) != 1) return openssl_failure(chain.name + " is refused");
  SSL_CTX_clear_chain_certs(context);
  for (const X509Ptr& issuer : chain.issuers) {
    if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) {
      return openssl_failure("the chain of " + chain.name + " is refused");
    }
  }
  if (chain.issuers.empty()) complete_chain(context);
  return nullptr;
}

// Leaves the reason in the error queue if the key belongs to none of them.
const Chain* owner_of(const EVP_PKEY* key, const std::vector<Chain>& chains) {
  for (const Chain& chain : chains) {
    ERR_clear_error();
    if (X509_check_private_key(chain.leaf.get(), key) == 1) return &chain;
  }
  return nullptr;
}

FailurePtr use_key(SSL_CTX* context, EVP_PKEY* key, const std::string& name, const std::vector<Chain>& chains) {
  const ErrorScope scope;
  // SSL_CTX_use_PrivateKey(3) would drop a certificate that does not fit without a word.
  if (!chains.empty() && owner_of(key, chains) == nullptr) {
    return openssl_failure(name + (chains.size() == 1 ? " does not belong to the certificate " + chains.front().name
                                                      : " belongs to none of the certificates"));
  }
  if (SSL_CTX_use_PrivateKey(context, key) != 1) return openssl_failure(name + " is refused");
  if (!chains.empty() && SSL_CTX_check_private_key(context) != 1) {
    return openssl_failure(name + " does not belong to its certificate");
  }
  return nullptr;
}

FailurePtr apply_certificates(SSL_CTX* context, const std::vector<Bytes>& cert, std::vector<Chain>& chains) {
  for (std::size_t index = 0; index < cert.size(); ++index) {
    auto [certificates, failure] = read_certificates(cert[index], indexed("cert", index));
    if (failure != nullptr) return failure;
    Chain chain = make_chain(indexed("cert", index), std::move(certificates));
    if ((failure = check_distinct(chains, chain)) != nullptr) return failure;
    if ((failure = use_chain(context, chain)) != nullptr) return failure;
    chains.push_back(std::move(chain));
  }
  return nullptr;
}

FailurePtr apply_keys(SSL_CTX* context, const std::vector<SealedInput>& keys, const std::vector<Chain>& chains) {
  for (std::size_t index = 0; index < keys.size(); ++index) {
    const std::string name = indexed("key", index);
    auto [key, failure] = read_private_key(keys[index], name);
    if (failure != nullptr) return failure;
    if ((failure = use_key(context, key.get(), name, chains)) != nullptr) return failure;
  }
  return nullptr;
}

// The other certificates of a bundle are both the chain to send and, as in node:tls, authorities to trust.
FailurePtr apply_pkcs12(SSL_CTX* context, const SealedInput& input, const std::string& name,
                        std::vector<Chain>& chains) {
  auto [contents, failure] = read_pkcs12(input, name);
  if (failure != nullptr) return failure;
  Chain chain{name, std::move(contents.certificate), std::move(contents.others)};
  if ((failure = check_distinct(chains, chain)) != nullptr) return failure;
  if ((failure = use_chain(context, chain)) != nullptr) return failure;
  for (const X509Ptr& issuer : chain.issuers) {
    if ((failure = trust_authority(context, issuer.get(), name)) != nullptr) return failure;
  }
  chains.push_back(std::move(chain));
  return use_key(context, contents.key.get(), name, chains);
}

}  // namespace

FailurePtr apply_identity(SSL_CTX* context, const ContextOptions& options) {
  std::vector<Chain> chains;
  if (FailurePtr failure = apply_certificates(context, options.cert, chains)) return failure;
  if (FailurePtr failure = apply_keys(context, options.key, chains)) return failure;
  for (std::size_t index = 0; index < options.pfx.size(); ++index) {
    if (FailurePtr failure = apply_pkcs12(context, options.pfx[index], indexed("pfx", index), chains)) return failure;
  }
  return nullptr;
}

}  // namespace system_tls::openssl
