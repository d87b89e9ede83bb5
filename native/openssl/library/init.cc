#include "openssl/library/init.h"

#include "openssl/library/headers.h"

#include <openssl/async.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/ui.h>

#include "openssl/library/handles.h"
#include "openssl/library/isolation.h"
#include "openssl/library/loaded_images.h"
#include "openssl/library/providers.h"

namespace system_tls::openssl {
namespace {

MaybeRefusal check_version(const IsolationReport& report) {
  constexpr auto major = [](unsigned long number) { return number >> 28; };
  constexpr auto major_and_minor = [](unsigned long number) { return number >> 20; };
  const unsigned long built = OPENSSL_VERSION_NUMBER;
  const unsigned long running = OpenSSL_version_num();
  // Within a major version a library keeps what older headers promised; newer headers promise what it may not have.
  if (major(running) == major(built) && major_and_minor(running) >= major_and_minor(built)) return std::nullopt;
  return Refusal{"ERR_SYSTEM_TLS_OPENSSL_VERSION",
                 std::string("the addon was compiled for OpenSSL " OPENSSL_VERSION_STR " and found ") +
                     OpenSSL_version(OPENSSL_VERSION_STRING),
                 report.libssl, "update the system's OpenSSL, or build the addon on this system"};
}

// Nobody sits at a server's terminal, and node may be reading it. We answer every question by a callback of our own;
// providers (a PKCS #11 device that wants its PIN again) ask through the default method, and are refused there.
bool forbid_prompts() {
  UI_METHOD* method = UI_create_method("system-tls: there is nobody to ask");
  if (method == nullptr) return false;
  UI_method_set_opener(method, [](UI*) { return 0; });
  UI_set_default_method(method);
  return true;
}

MaybeRefusal initialise() {
  ERR_clear_error();
  constexpr uint64_t options =
      OPENSSL_INIT_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS | OPENSSL_INIT_LOAD_CRYPTO_STRINGS;
  if (OPENSSL_init_ssl(options, nullptr) == 1 && forbid_prompts()) {
    ERR_clear_error();
    return std::nullopt;
  }
  return Refusal{"ERR_SYSTEM_TLS_OPENSSL_INIT", "OpenSSL did not start: " + drain_reasons(), default_config_file(),
                 "correct the OpenSSL configuration file, or name another in OPENSSL_CONF"};
}

MaybeRefusal run_start() {
  const IsolationReport& report = isolation();
  if (!report.isolated) {
    return Refusal{"ERR_SYSTEM_TLS_NOT_ISOLATED", report.cause, report.culprit, report.cure};
  }
  if (MaybeRefusal refusal = check_version(report)) return refusal;
  if (MaybeRefusal refusal = isolate_configured_modules()) return refusal;
  return initialise();
}

bool supports_tls13() {
  const SslContextPtr context(SSL_CTX_new(TLS_method()));
  return context != nullptr && SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context.get(), TLS1_3_VERSION) == 1;
}

bool supports_dtls() {
  using Method = const SSL_METHOD*();
  auto* method = find_function<Method>("DTLS_method");
  const SslContextPtr context(method == nullptr ? nullptr : SSL_CTX_new(method()));
  return context != nullptr;
}

// A socket BIO without kTLS does not know this control and leaves its flags alone. No socket is needed.
bool try_ktls() {
  constexpr int set_control_message = 74;  // BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG
  const BioPtr bio(BIO_new(BIO_s_socket()));
  if (bio == nullptr) return false;
  const int before = BIO_test_flags(bio.get(), ~0);
  BIO_ctrl(bio.get(), set_control_message, 0, nullptr);
  return BIO_test_flags(bio.get(), ~0) != before;
}

bool supports_certificate_compression() {
  using SetPreference = int(SSL_CTX*, int*, size_t);
  auto* set_preference = find_function<SetPreference>("SSL_CTX_set1_cert_comp_preference");
  const SslContextPtr context(SSL_CTX_new(TLS_method()));
  if (set_preference == nullptr || context == nullptr) return false;
  for (int algorithm : {1, 2, 3}) {  // zlib, brotli, zstd: RFC 8879, section 7.3
    if (set_preference(context.get(), &algorithm, 1) == 1) return true;
  }
  return false;
}

bool supports_kem(const char* name) {
  const Owned<EVP_KEM, EVP_KEM_free> kem(EVP_KEM_fetch(nullptr, name, nullptr));
  return kem != nullptr;
}

std::string text(const char* value) { return value == nullptr ? std::string() : std::string(value); }

}  // namespace

bool forgo_exit_handler() {
  static const bool done = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr) == 1;
  return done;
}

const MaybeRefusal& start() {
  static const MaybeRefusal result = run_start();
  return result;
}

std::string reason_text(unsigned long code) {
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "error number " + std::to_string(code) : std::string(reason);
}

std::string drain_reasons() {
  std::string reasons;
  while (const unsigned long code = ERR_get_error()) reasons += (reasons.empty() ? "" : "; ") + reason_text(code);
  return reasons.empty() ? "no reason given" : reasons;
}

LibraryInfo library_info() {
  return {OpenSSL_version(OPENSSL_VERSION_STRING), OpenSSL_version_num(), OPENSSL_VERSION_STR,
          text(OPENSSL_info(OPENSSL_INFO_CONFIG_DIR)), text(OPENSSL_info(OPENSSL_INFO_MODULES_DIR))};
}

Features library_features() {
  Features features;
  features.tls13 = supports_tls13();
  features.dtls = supports_dtls();
  features.ktls = has_ktls();
  features.async = ASYNC_is_capable() == 1;
  features.certificate_compression = supports_certificate_compression();
  features.raw_public_keys = find_ssl_symbol("SSL_CTX_set1_server_cert_type") != nullptr;
  features.quic = find_ssl_symbol("OSSL_QUIC_client_method") != nullptr;
  features.quic_server = find_ssl_symbol("OSSL_QUIC_server_method") != nullptr;
  features.mlkem = supports_kem("ML-KEM-768");
  features.ech = find_ssl_symbol("SSL_CTX_set1_echstore") != nullptr;
  features.engines = find_ssl_symbol("ENGINE_by_id") != nullptr;
  features.fips = EVP_default_properties_is_fips_enabled(nullptr) == 1;
  ERR_clear_error();
  return features;
}

bool has_ktls() {
  static const bool has = try_ktls();
  return has;
}

void* find_ssl_symbol(const char* name) { return function_beside(address_of(SSL_new), name); }

}  // namespace system_tls::openssl
