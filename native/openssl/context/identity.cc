#include "openssl/context/identity.h"

#include <openssl/err.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "openssl/context/credentials.h"
#include "openssl/context/key_store.h"
#include "openssl/library/encoding.h"
#include "openssl/trust/trust.h"

namespace system_tls::openssl {

namespace {

// A leaf with the certificates that its owner sends along.
struct Chain {
  std::string name;
  X509Ptr leaf;
  std::vector<X509Ptr> issuers;
};

// The owner of credentials is a context or a connection, and each function of OpenSSL exists for both.
int use_certificate(SSL_CTX* context, X509* certificate) { return SSL_CTX_use_certificate(context, certificate); }
int use_certificate(SSL* ssl, X509* certificate) { return SSL_use_certificate(ssl, certificate); }
int use_private_key(SSL_CTX* context, EVP_PKEY* key) { return SSL_CTX_use_PrivateKey(context, key); }
int use_private_key(SSL* ssl, EVP_PKEY* key) { return SSL_use_PrivateKey(ssl, key); }
int check_key(const SSL_CTX* context) { return SSL_CTX_check_private_key(context); }
int check_key(const SSL* ssl) { return SSL_check_private_key(ssl); }
void clear_chain(SSL_CTX* context) { SSL_CTX_clear_chain_certs(context); }
void clear_chain(SSL* ssl) { SSL_clear_chain_certs(ssl); }
bool add_to_chain(SSL_CTX* context, X509* issuer) { return SSL_CTX_add1_chain_cert(context, issuer) == 1; }
bool add_to_chain(SSL* ssl, X509* issuer) { return SSL_add1_chain_cert(ssl, issuer) == 1; }
bool has_empty_chain(SSL_CTX* context) {
  STACK_OF(X509)* chain = nullptr;
  return SSL_CTX_get0_chain_certs(context, &chain) == 1 && chain != nullptr && sk_X509_num(chain) == 0;
}
bool has_empty_chain(SSL* ssl) {
  STACK_OF(X509)* chain = nullptr;
  return SSL_get0_chain_certs(ssl, &chain) == 1 && chain != nullptr && sk_X509_num(chain) == 0;
}
void build_no_chain_later(SSL_CTX* context) { SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN); }
void build_no_chain_later(SSL* ssl) { SSL_set_mode(ssl, SSL_MODE_NO_AUTO_CHAIN); }
void build_chain(SSL_CTX* context, int flags) { SSL_CTX_build_cert_chain(context, flags); }
void build_chain(SSL* ssl, int flags) { SSL_build_cert_chain(ssl, flags); }

// The other certificates of a bundle are, as in node:tls, authorities that a context trusts. What a connection trusts
// is its context's.
FailurePtr trust_issuer(SSL_CTX* context, X509* issuer, const std::string& name) {
  return trust_authority(context, issuer, name);
}
FailurePtr trust_issuer(SSL*, X509*, const std::string&) { return nullptr; }

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
template <typename Owner>
void complete_chain(Owner* owner) {
  constexpr int kFlags =
      SSL_BUILD_CHAIN_FLAG_NO_ROOT | SSL_BUILD_CHAIN_FLAG_IGNORE_ERROR | SSL_BUILD_CHAIN_FLAG_CLEAR_ERROR;
  build_chain(owner, kFlags);
  ERR_clear_error();
  // An empty chain is not the same as none: Suite B holds the leaf's signature against it (X509_chain_check_suiteb()),
  // and refuses the certificate before any issuer is known. With none, OpenSSL would build one in each handshake, with
  // the root.
  if (!has_empty_chain(owner)) return;
  clear_chain(owner);
  build_no_chain_later(owner);
}

template <typename Owner>
FailurePtr use_chain(Owner* owner, const Chain& chain) {
  const ErrorScope scope;
  if (use_certificate(owner, chain.leaf.get()) != 1) return openssl_failure(chain.name + " is refused");
  clear_chain(owner);
  for (const X509Ptr& issuer : chain.issuers) {
    if (!add_to_chain(owner, issuer.get())) {
      return openssl_failure("the chain of " + chain.name + " is refused");
    }
  }
  if (chain.issuers.empty()) complete_chain(owner);
  return nullptr;
}

const Chain* owner_of(const EVP_PKEY* key, const std::vector<Chain>& chains) {
  for (const Chain& chain : chains) {
    if (X509_check_private_key(chain.leaf.get(), key) == 1) return &chain;
  }
  return nullptr;
}

// X509_check_private_key(3) gives other reasons in other versions.
FailurePtr mismatch(const EVP_PKEY* key, const std::string& name, const std::vector<Chain>& chains) {
  bool same_type = false;
  for (const Chain& chain : chains) same_type = same_type || key_type(chain) == EVP_PKEY_get_base_id(key);
  ERR_clear_error();
  ERR_raise(ERR_LIB_X509, same_type ? X509_R_KEY_VALUES_MISMATCH : X509_R_KEY_TYPE_MISMATCH);
  return openssl_failure(name + (chains.size() == 1 ? " does not belong to the certificate " + chains.front().name
                                                    : " belongs to none of the certificates"));
}

template <typename Owner>
FailurePtr use_key(Owner* owner, EVP_PKEY* key, const std::string& name, const std::vector<Chain>& chains) {
  const ErrorScope scope;
  // SSL_CTX_use_PrivateKey(3) would drop a certificate that does not fit without a word.
  if (!chains.empty() && owner_of(key, chains) == nullptr) return mismatch(key, name, chains);
  if (use_private_key(owner, key) != 1) return openssl_failure(name + " is refused");
  if (!chains.empty() && check_key(owner) != 1) {
    return openssl_failure(name + " does not belong to its certificate");
  }
  return nullptr;
}

template <typename Owner>
FailurePtr use_certificates(Owner* owner, std::string name, Outcome<std::vector<X509Ptr>> read,
                            std::vector<Chain>& chains) {
  if (read.failure != nullptr) return read.failure;
  Chain chain = make_chain(std::move(name), std::move(read.value));
  if (FailurePtr failure = check_distinct(chains, chain)) return failure;
  if (FailurePtr failure = use_chain(owner, chain)) return failure;
  chains.push_back(std::move(chain));
  return nullptr;
}

template <typename Owner>
FailurePtr use_read_key(Owner* owner, const std::string& name, const Outcome<PkeyPtr>& read,
                        const std::vector<Chain>& chains) {
  return read.failure != nullptr ? read.failure : use_key(owner, read.value.get(), name, chains);
}

// The other certificates of a bundle are the chain to send.
template <typename Owner>
FailurePtr use_pkcs12(Owner* owner, const SealedInput& input, std::vector<Chain>& chains) {
  auto [contents, failure] = read_pkcs12(input);
  if (failure != nullptr) return failure;
  Chain chain{input.name, std::move(contents.certificate), std::move(contents.others)};
  if ((failure = check_distinct(chains, chain)) != nullptr) return failure;
  if ((failure = use_chain(owner, chain)) != nullptr) return failure;
  for (const X509Ptr& issuer : chain.issuers) {
    if ((failure = trust_issuer(owner, issuer.get(), input.name)) != nullptr) return failure;
  }
  chains.push_back(std::move(chain));
  return use_key(owner, contents.key.get(), input.name, chains);
}

// Certificates before keys, whatever they come from: a key is held against all of them.
template <typename Owner>
FailurePtr use_all(Owner* owner, const Credentials& credentials) {
  std::vector<Chain> chains;
  for (const NamedInput& input : credentials.cert) {
    if (FailurePtr failure = use_certificates(owner, input.name, read_certificates(input), chains)) return failure;
  }
  for (const StoreInput& input : credentials.cert_uri) {
    if (FailurePtr failure = use_certificates(owner, input.name, load_certificates(input), chains)) return failure;
  }
  for (const SealedInput& input : credentials.key) {
    if (FailurePtr failure = use_read_key(owner, input.name, read_private_key(input), chains)) return failure;
  }
  for (const StoreInput& input : credentials.key_uri) {
    if (FailurePtr failure = use_read_key(owner, input.name, load_private_key(input), chains)) return failure;
  }
  for (const SealedInput& input : credentials.pfx) {
    if (FailurePtr failure = use_pkcs12(owner, input, chains)) return failure;
  }
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// Identities

struct ReadCredentials {
  std::vector<Chain> chains;
  struct Key {
    std::string name;
    PkeyPtr key;
  };
  std::vector<Key> keys;
};

FailurePtr add_chain(ReadCredentials& read, std::string name, Outcome<std::vector<X509Ptr>> outcome) {
  if (outcome.failure != nullptr) return outcome.failure;
  Chain chain = make_chain(std::move(name), std::move(outcome.value));
  if (FailurePtr failure = check_distinct(read.chains, chain)) return failure;
  read.chains.push_back(std::move(chain));
  return nullptr;
}

FailurePtr add_key(ReadCredentials& read, const std::string& name, Outcome<PkeyPtr> outcome) {
  if (outcome.failure != nullptr) return outcome.failure;
  read.keys.push_back({name, std::move(outcome.value)});
  return nullptr;
}

FailurePtr add_pkcs12(ReadCredentials& read, const SealedInput& input) {
  auto [contents, failure] = read_pkcs12(input);
  if (failure != nullptr) return failure;
  Chain chain{input.name, std::move(contents.certificate), std::move(contents.others)};
  if ((failure = check_distinct(read.chains, chain)) != nullptr) return failure;
  read.chains.push_back(std::move(chain));
  read.keys.push_back({input.name, std::move(contents.key)});
  return nullptr;
}

FailurePtr read_all(ReadCredentials& read, const Credentials& credentials) {
  for (const NamedInput& input : credentials.cert) {
    if (FailurePtr failure = add_chain(read, input.name, read_certificates(input))) return failure;
  }
  for (const StoreInput& input : credentials.cert_uri) {
    if (FailurePtr failure = add_chain(read, input.name, load_certificates(input))) return failure;
  }
  for (const SealedInput& input : credentials.key) {
    if (FailurePtr failure = add_key(read, input.name, read_private_key(input))) return failure;
  }
  for (const StoreInput& input : credentials.key_uri) {
    if (FailurePtr failure = add_key(read, input.name, load_private_key(input))) return failure;
  }
  for (const SealedInput& input : credentials.pfx) {
    if (FailurePtr failure = add_pkcs12(read, input)) return failure;
  }
  return nullptr;
}

X509StackPtr stack_of(std::vector<X509Ptr> certificates) {
  X509StackPtr stack(sk_X509_new_null());
  for (X509Ptr& certificate : certificates) {
    if (stack != nullptr && sk_X509_push(stack.get(), certificate.get()) > 0) static_cast<void>(certificate.release());
  }
  return stack;
}

FailurePtr pair_up(ReadCredentials read, Identity& identity) {
  const ErrorScope scope;
  for (const ReadCredentials::Key& each : read.keys) {
    if (owner_of(each.key.get(), read.chains) == nullptr) return mismatch(each.key.get(), each.name, read.chains);
  }
  for (Chain& chain : read.chains) {
    const auto key = std::find_if(read.keys.begin(), read.keys.end(), [&chain](const ReadCredentials::Key& each) {
      return each.key != nullptr && X509_check_private_key(chain.leaf.get(), each.key.get()) == 1;
    });
    ERR_clear_error();
    if (key == read.keys.end()) return named_failure("ERR_TLS_INVALID_INPUT", chain.name + " has no key beside it");
    identity.entries.push_back({std::move(chain.leaf), stack_of(std::move(chain.issuers)), std::move(key->key)});
  }
  return nullptr;
}

bool is_locked(const FailurePtr& failure) {
  return failure != nullptr && failure->code == "ERR_TLS_PASSPHRASE_REQUIRED";
}

}  // namespace

FailurePtr use_credentials(SSL_CTX* context, const Credentials& credentials) { return use_all(context, credentials); }

FailurePtr use_credentials(SSL* ssl, const Credentials& credentials, bool replace) {
  const bool certificates = !credentials.cert.empty() || !credentials.cert_uri.empty() || !credentials.pfx.empty();
  if (replace && certificates) SSL_certs_clear(ssl);
  if (FailurePtr failure = use_all(ssl, credentials)) return failure;
  // As apply_post_handshake_auth() does for a context.
  // Servers ignore it.
  if (SSL_in_before(ssl) != 0 && SSL_get_certificate(ssl) != nullptr) {
    SSL_set_post_handshake_auth(ssl, 1);
  }
  return nullptr;
}

IdentityResult read_identity(const Credentials& credentials) {
  ReadCredentials read;
  auto identity = std::make_shared<Identity>();
  if (FailurePtr failure = read_all(read, credentials)) return {nullptr, std::move(failure)};
  if (read.chains.empty()) return {nullptr, named_failure("ERR_TLS_INVALID_INPUT", "there is no certificate")};
  if (FailurePtr failure = pair_up(std::move(read), *identity)) return {nullptr, std::move(failure)};
  return {std::move(identity), nullptr};
}

FailurePtr use_identity(SSL* ssl, const Identity& identity) {
  SSL_certs_clear(ssl);
  for (const Identity::Entry& entry : identity.entries) {
    if (SSL_use_cert_and_key(ssl, entry.leaf.get(), entry.key.get(), entry.chain.get(), 1) != 1) {
      return openssl_failure("a certificate is refused");
    }
  }
  return nullptr;
}

FailurePtr check_private_key(const SSL* ssl) {
  const ErrorScope scope;
  return SSL_check_private_key(ssl) == 1 ? nullptr : openssl_failure("the private key does not fit the certificate");
}

std::vector<std::string> locked_inputs(const Credentials& credentials) {
  std::vector<std::string> names;
  for (const SealedInput& input : credentials.key) {
    if (is_locked(read_private_key(input).failure)) names.push_back(input.name);
  }
  for (const SealedInput& input : credentials.pfx) {
    if (is_locked(read_pkcs12(input).failure)) names.push_back(input.name);
  }
  for (const StoreInput& input : credentials.cert_uri) {
    if (is_locked(load_certificates(input).failure)) names.push_back(input.name);
  }
  for (const StoreInput& input : credentials.key_uri) {
    if (is_locked(load_private_key(input).failure)) names.push_back(input.name);
  }
  return names;
}

}  // namespace system_tls::openssl
