#include "openssl/library/missing_algorithm.h"

#include <openssl/err.h>
#include <openssl/provider.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "openssl/library/ascii.h"

namespace system_tls::openssl {

namespace {

// inner_evp_generic_fetch() in evp_fetch.c: "..., Algorithm (RC2-40-CBC : 0), Properties (...)".
constexpr std::string_view kBefore = "Algorithm (";
constexpr std::string_view kBehind = " : ";

bool is_fetch(const ErrorEntry& entry) {
  return entry.library == ERR_LIB_EVP && entry.reason == ERR_R_UNSUPPORTED &&
         entry.data.find(kBefore) != std::string::npos;
}

// OSSL_PROVIDER-legacy(7). Triple DES is in the default provider.
bool is_legacy(const std::string& algorithm) {
  static constexpr std::string_view kPrefixes[] = {"BF",     "CAST",   "DES-", "DESX",     "IDEA", "MD2",
                                                   "MD4",    "MDC2",   "RC2",  "RC4",      "RC5",  "RIPEMD",
                                                   "PBKDF1", "PVKKDF", "SEED", "whirlpool"};
  if (begins_with_ignoring_case(algorithm, "DES-EDE")) return false;
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&algorithm](std::string_view prefix) { return begins_with_ignoring_case(algorithm, prefix); });
}

std::string explanation(const std::string& algorithm) {
  if (is_legacy(algorithm) && OSSL_PROVIDER_available(nullptr, "legacy") != 1) {
    return algorithm +
           " is an algorithm of the provider legacy, which is not loaded: call openssl.loadProvider('legacy') first";
  }
  return "no provider that is loaded has " + algorithm;
}

}  // namespace

std::string missing_algorithm(const ErrorList& errors) {
  const auto entry = std::find_if(errors.begin(), errors.end(), is_fetch);
  if (entry == errors.end()) return {};
  const std::size_t begin = entry->data.find(kBefore) + kBefore.size();
  return entry->data.substr(begin, entry->data.find(kBehind, begin) - begin);
}

void explain_missing(const std::string& algorithm, ErrorList& errors) {
  ERR_raise_data(ERR_LIB_OSSL_DECODER, ERR_R_UNSUPPORTED, "%s", explanation(algorithm).c_str());
  const ErrorList explained = drain_errors();
  errors.insert(errors.begin(), explained.begin(), explained.end());
}

}  // namespace system_tls::openssl
