#include "openssl/trust/hashed_names.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <array>
#include <cstdio>
#include <limits>
#include <optional>

#include "openssl/context/passphrase.h"
#include "openssl/library/errors.h"
#include "openssl/library/handles.h"

namespace system_tls::openssl {

namespace {

void free_infos(STACK_OF(X509_INFO) * infos) noexcept { sk_X509_INFO_pop_free(infos, X509_INFO_free); }
using InfosPtr = Owned<STACK_OF(X509_INFO), free_infos>;

using Digest = std::array<unsigned char, EVP_MAX_MD_SIZE>;

// X509_NAME_hash_ex(3), OpenSSL 3.0: SHA-1 over the canonical encoding, which is what by_dir.c looks for.
std::optional<std::string> hash_of(const X509_NAME* name) {
  int ok = 0;
  const unsigned long hash = X509_NAME_hash_ex(name, nullptr, nullptr, &ok);
  if (ok != 1) return std::nullopt;
  char text[9];
  std::snprintf(text, sizeof text, "%08lx", hash & 0xffffffffUL);
  return text;
}

std::string hexadecimal(const Digest& digest, unsigned size) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned index = 0; index < size; ++index) {
    text += kDigits[digest[index] >> 4];
    text += kDigits[digest[index] & 15];
  }
  return text;
}

std::optional<HashedName> describe(const X509_INFO& info) {
  Digest digest{};
  unsigned size = 0;
  if (info.x509 != nullptr) {
    auto hash = hash_of(X509_get_subject_name(info.x509));
    if (!hash || X509_digest(info.x509, EVP_sha256(), digest.data(), &size) != 1) return std::nullopt;
    return HashedName{false, *hash, hexadecimal(digest, size)};
  }
  if (info.crl != nullptr) {
    auto hash = hash_of(X509_CRL_get_issuer(info.crl));
    if (!hash || X509_CRL_digest(info.crl, EVP_sha256(), digest.data(), &size) != 1) return std::nullopt;
    return HashedName{true, *hash, hexadecimal(digest, size)};
  }
  return std::nullopt;
}

}  // namespace

std::vector<HashedName> hashed_names(ByteView pem) {
  const ErrorScope scope;
  if (pem.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return {};
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  PassphraseRequest nobody;
  const InfosPtr infos(bio == nullptr ? nullptr
                                      : PEM_X509_INFO_read_bio(bio.get(), nullptr, passphrase_callback, &nobody));
  std::vector<HashedName> names;
  for (int index = 0; index < sk_X509_INFO_num(infos.get()); ++index) {
    if (auto name = describe(*sk_X509_INFO_value(infos.get(), index))) names.push_back(std::move(*name));
  }
  return names;
}

}  // namespace system_tls::openssl
