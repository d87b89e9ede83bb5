#include "openssl/context/key_store.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/store.h>
#include <openssl/ui.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "openssl/library/ascii.h"
#include "openssl/library/encoding.h"

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

// A URI may hold a PIN (RFC 7512), OpenSSL quotes it, and what is said of it ends in logs.
std::string without_pin(std::string text) {
  static constexpr std::string_view kPin = "pin-value=";
  for (std::size_t at = text.find(kPin); at != std::string::npos; at = text.find(kPin, at)) {
    at += kPin.size();
    text.erase(at, text.find_first_of("&;) ", at) - at);
  }
  return text;
}

// "file:", or no scheme at all.
bool is_file(const std::string& uri) {
  const std::size_t colon = uri.find(':');
  return colon == std::string::npos || uri.find('/') < colon || begins_with_ignoring_case(uri, "file:");
}

bool is_system(const ErrorEntry& entry) { return entry.library == ERR_LIB_SYS; }

// What OpenSSL 3.2 and later say of a scheme that nobody serves; earlier ones have a reason for it.
bool is_unserved(const ErrorEntry& entry) {
  return entry.library == ERR_LIB_OSSL_STORE && entry.reason == ERR_R_UNSUPPORTED;
}

// As fs would report it.
FailurePtr unreadable_file(int reason, std::string message) {
  auto failure = std::make_shared<Failure>(*system_failure(reason, "open"));
  failure->message = std::move(message);
  return failure;
}

// OpenSSL tries every URI as the path of a file and as a scheme of a provider, and which of the two it complains of
// differs between its versions.
FailurePtr unloadable(const PassphraseRequest& request, const StoreInput& input, std::string message) {
  ErrorList errors = drain_errors();
  const auto system = std::find_if(errors.begin(), errors.end(), is_system);
  if (is_file(input.uri) && system != errors.end()) return unreadable_file(system->reason, std::move(message));
  errors.erase(std::remove_if(errors.begin(), errors.end(), is_system), errors.end());
  const bool unserved = !is_file(input.uri) && std::any_of(errors.begin(), errors.end(), is_unserved);
  if (errors.empty() || unserved) {
    ERR_raise(ERR_LIB_OSSL_STORE, OSSL_STORE_R_UNREGISTERED_SCHEME);
    errors = drain_errors();
  }
  for (ErrorEntry& entry : errors) entry.data = without_pin(std::move(entry.data));
  return undecrypted(request, std::move(message), std::move(errors));
}

// A device that was given a wrong PIN shows its public objects, and says nothing.
FailurePtr nothing_found(const PassphraseRequest& request, const StoreInput& input, const char* what) {
  const std::string& name = input.name;
  if (request.unanswered() || request.too_long) return key_failure(request, name);
  if (ERR_peek_error() != 0)
    return unloadable(request, input, "no " + std::string(what) + " can be loaded from " + name);
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
  return {nullptr, nothing_found(store.request(), input, "private key")};
}

Outcome<std::vector<X509Ptr>> load_certificates(const StoreInput& input) {
  const ErrorScope scope;
  Store store(input, OSSL_STORE_INFO_CERT);
  std::vector<X509Ptr> certificates;
  while (const StoreInfoPtr info = store.next()) {
    if (X509* certificate = OSSL_STORE_INFO_get1_CERT(info.get())) certificates.emplace_back(certificate);
  }
  if (!certificates.empty()) return {std::move(certificates), nullptr};
  return {{}, nothing_found(store.request(), input, "certificate")};
}

}  // namespace system_tls::openssl
