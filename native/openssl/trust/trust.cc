#include "openssl/trust/trust.h"

#include <openssl/err.h>

#include <memory>

#include "openssl/context/credentials.h"
#include "openssl/trust/system_store.h"
#include "openssl/trust/verification.h"

namespace system_tls::openssl {

namespace {

FailurePtr add_authorities(SSL_CTX* context, const std::vector<NamedInput>& ca) {
  for (const NamedInput& input : ca) {
    auto [authorities, failure] = read_certificates(input);
    if (failure != nullptr) return failure;
    for (const X509Ptr& authority : authorities) {
      if (FailurePtr refused = trust_authority(context, authority.get(), input.name)) return refused;
    }
  }
  return nullptr;
}

// As fs would report it, if the system is what refused.
FailurePtr unreadable_file(const std::string& file) {
  const unsigned long error = ERR_peek_error();
  if (!ERR_SYSTEM_ERROR(error)) return openssl_failure("caFile '" + file + "' cannot be loaded");
  ERR_clear_error();
  auto failure = std::make_shared<Failure>(*system_failure(ERR_GET_REASON(error), "open"));
  failure->message = "caFile '" + file + "': " + failure->message;
  return failure;
}

FailurePtr load_authorities(SSL_CTX* context, const ContextOptions& options) {
  if (options.ca_file && SSL_CTX_load_verify_file(context, options.ca_file->c_str()) != 1) {
    return unreadable_file(*options.ca_file);
  }
  if (options.ca_path && SSL_CTX_load_verify_dir(context, options.ca_path->c_str()) != 1) {
    return openssl_failure("caPath '" + *options.ca_path + "' cannot be used");
  }
  return nullptr;
}

// Nothing of its own would be added to the store.
bool trusts_only_the_system(const ContextOptions& options) {
  return options.ca.empty() && !options.ca_file && !options.ca_path && options.crl.empty() && !options.crl_check &&
         options.credentials.pfx.empty();
}

FailurePtr trust_system(SSL_CTX* context, const ContextOptions& options) {
  if (!options.system_ca) return nullptr;
  bool done = false;
  if (trusts_only_the_system(options)) {
    const X509StorePtr store = shared_system_store();
    if (store != nullptr) SSL_CTX_set1_cert_store(context, store.get());
    done = store != nullptr;
  } else {
    done = add_system_store(SSL_CTX_get_cert_store(context));
  }
  return done ? nullptr : openssl_failure("the system's certificate store cannot be used");
}

FailurePtr add_crls(SSL_CTX* context, const std::vector<NamedInput>& crls) {
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const NamedInput& input : crls) {
    auto [lists, failure] = read_crls(input);
    if (failure != nullptr) return failure;
    for (const X509CrlPtr& list : lists) {
      if (X509_STORE_add_crl(store, list.get()) != 1) return openssl_failure(input.name + " is refused");
    }
  }
  return nullptr;
}

// As in node:tls, a CRL given is a CRL wanted from every issuer of the chain.
void check_crls(SSL_CTX* context, const ContextOptions& options) {
  if (options.crl.empty() && !options.crl_check) return;
  const bool chain = options.crl_check.value_or(CrlCheck::chain) == CrlCheck::chain;
  X509_STORE_set_flags(SSL_CTX_get_cert_store(context),
                       X509_V_FLAG_CRL_CHECK | (chain ? X509_V_FLAG_CRL_CHECK_ALL : 0UL));
}

// On the context, since the system's store may be shared with others.
bool allow_partial_chains(SSL_CTX* context, const ContextOptions& options) {
  return !options.partial_chain ||
         X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN) == 1;
}

void free_names(STACK_OF(X509_NAME) * names) noexcept { sk_X509_NAME_pop_free(names, X509_NAME_free); }
using NamesPtr = Owned<STACK_OF(X509_NAME), free_names>;

bool add_name(STACK_OF(X509_NAME) * names, const X509* certificate) {
  X509_NAME* name = X509_NAME_dup(X509_get_subject_name(certificate));
  if (name != nullptr && sk_X509_NAME_push(names, name) > 0) return true;
  X509_NAME_free(name);
  return false;
}

FailurePtr read_names(const std::vector<NamedInput>& inputs, STACK_OF(X509_NAME) * names) {
  for (const NamedInput& input : inputs) {
    auto [certificates, failure] = read_certificates(input);
    if (failure != nullptr) return failure;
    for (const X509Ptr& certificate : certificates) {
      if (!add_name(names, certificate.get())) return openssl_failure(input.name + " has a name that is refused");
    }
  }
  return nullptr;
}

// The names that a server sends: they tell clients which certificate to choose, not whom the server trusts.
FailurePtr name_client_authorities(SSL_CTX* context, const std::vector<NamedInput>& inputs) {
  NamesPtr names(sk_X509_NAME_new_null());
  if (FailurePtr failure = read_names(inputs, names.get())) return failure;
  SSL_CTX_set_client_CA_list(context, names.release());
  return nullptr;
}

// RFC 8446 section 4.2.4: each with its length. All extensions of a ClientHello have 64 KiB in common, which a ticket
// may need too, and OpenSSL would fail in the handshake.
bool fit_into_hello(const STACK_OF(X509_NAME) * names) {
  constexpr std::size_t kLongest = 32 * 1024;
  std::size_t size = 0;
  for (int index = 0; index < sk_X509_NAME_num(names); ++index) {
    size += 2 + static_cast<std::size_t>(i2d_X509_NAME(sk_X509_NAME_value(names, index), nullptr));
  }
  return size <= kLongest;
}

// The names that a client sends.
FailurePtr name_authorities(SSL_CTX* context, const std::vector<NamedInput>& inputs) {
  NamesPtr names(sk_X509_NAME_new_null());
  if (FailurePtr failure = read_names(inputs, names.get())) return failure;
  if (!fit_into_hello(names.get())) {
    return named_failure("ERR_INVALID_ARG_VALUE",
                         "authorities has names of more than 32 KiB, for which a ClientHello has no room: name fewer");
  }
  SSL_CTX_set0_CA_list(context, names.release());
  return nullptr;
}

}  // namespace

FailurePtr trust_authority(SSL_CTX* context, X509* authority, const std::string& name) {
  if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority) != 1)
    return openssl_failure(name + " is refused");
  if (SSL_CTX_add_client_CA(context, authority) != 1) return openssl_failure(name + " has a name that is refused");
  return nullptr;
}

bool withhold_authorities(SSL* server) {
  if (sk_X509_NAME_num(SSL_get0_CA_list(server)) <= 0) return true;
  STACK_OF(X509_NAME)* none = sk_X509_NAME_new_null();
  if (none == nullptr) return false;
  SSL_set0_CA_list(server, none);
  return true;
}

FailurePtr apply_trust(SSL_CTX* context, const ContextOptions& options) {
  const ErrorScope scope;
  if (FailurePtr failure = trust_system(context, options)) return failure;
  if (FailurePtr failure = add_authorities(context, options.ca)) return failure;
  if (FailurePtr failure = load_authorities(context, options)) return failure;
  if (FailurePtr failure = add_crls(context, options.crl)) return failure;
  if (options.client_ca) {
    if (FailurePtr failure = name_client_authorities(context, *options.client_ca)) return failure;
  }
  if (!options.authorities.empty()) {
    if (FailurePtr failure = name_authorities(context, options.authorities)) return failure;
  }
  check_crls(context, options);
  if (!allow_partial_chains(context, options)) return openssl_failure("allowPartialTrustChain cannot be set");
  set_verification(context, options.verify_mode, options.verify_continue);
  use_verify_hook(context);
  if (options.verify_depth) SSL_CTX_set_verify_depth(context, *options.verify_depth);
  return nullptr;
}

}  // namespace system_tls::openssl
