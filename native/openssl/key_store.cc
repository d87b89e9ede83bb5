#include "openssl/key_store.h"

#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include <utility>

#include "openssl/encoding.h"

namespace system_tls::openssl {

namespace {

using StorePtr = Owned<OSSL_STORE_CTX, OSSL_STORE_close>;
using StoreInfoPtr = Owned<OSSL_STORE_INFO, OSSL_STORE_INFO_free>;
using UiMethodPtr = Owned<UI_METHOD, UI_destroy_method>;

// One for the process, never freed: stores of several threads may be asking through it.
UI_METHOD* passphrase_method() {
  static UI_METHOD* const method = UI_UTIL_wrap_read_pem_callback(passphrase_callback, 0);
  return method;
}

// An open store hands out objects of one kind until it has no more.
class Store {
 public:
  Store(const StoreInput& input, int kind)
      : request_{&input.passphrase},
        store_(OSSL_STORE_open_ex(input.uri.c_str(), nullptr, nullptr, passphrase_method(), &request_, nullptr, nullptr,
                                  nullptr)) {
    if (store_ != nullptr) OSSL_STORE_expect(store_.get(), kind);
  }

  // Null at the end, and after a failure.
  StoreInfoPtr next() {
    while (store_ != nullptr && OSSL_STORE_eof(store_.get()) == 0) {
      StoreInfoPtr info(OSSL_STORE_load(store_.get()));
      if (info != nullptr) return info;
      // What is not of the expected kind gives nothing as well, without an error.
      if (OSSL_STORE_error(store_.get()) != 0) return nullptr;
    }
    return nullptr;
  }

  const PassphraseRequest& request() const { return request_; }

 private:
  PassphraseRequest request_;
  StorePtr store_;
};

// A device that was given a wrong PIN shows its public objects, and says nothing.
FailurePtr nothing_found(const PassphraseRequest& request, const std::string& name, const char* what) {
  if (request.missing || request.too_long) return key_failure(request, name);
  if (ERR_peek_error() != 0) return openssl_failure("no " + std::string(what) + " can be loaded from " + name);
  return named_failure("ERR_TLS_STORE_NOT_FOUND",
                       "there is no " + std::string(what) + " at " + name +
                           (request.given ? ", or the passphrase that was asked for is wrong" : ""));
}

}  // namespace

Outcome<PkeyPtr> load_private_key(const StoreInput& input) {
  const ErrorScope scope;
  Store store(input, OSSL_STORE_INFO_PKEY);
  while (const StoreInfoPtr info = store.next()) {
    if (EVP_PKEY* key = OSSL_STORE_INFO_get1_PKEY(info.get())) return {PkeyPtr(key), nullptr};
  }
  return {nullptr, nothing_found(store.request(), input.name, "private key")};
}

Outcome<std::vector<X509Ptr>> load_certificates(const StoreInput& input) {
  const ErrorScope scope;
  Store store(input, OSSL_STORE_INFO_CERT);
  std::vector<X509Ptr> certificates;
  while (const StoreInfoPtr info = store.next()) {
    if (X509* certificate = OSSL_STORE_INFO_get1_CERT(info.get())) certificates.emplace_back(certificate);
  }
  if (!certificates.empty()) return {std::move(certificates), nullptr};
  return {{}, nothing_found(store.request(), input.name, "certificate")};
}

}  // namespace system_tls::openssl
