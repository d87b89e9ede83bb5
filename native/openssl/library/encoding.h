// DER out of OpenSSL's objects, and failures that carry a code of ours together with OpenSSL's own reasons.
#pragma once

#include <openssl/x509.h>

#include <memory>
#include <string>
#include <utility>

#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::openssl {

// `i2d(unsigned char** out)` is called as i2d_X509(3) describes: once for the length, once to write. Empty if it fails.
template <typename I2d>
Bytes encode(I2d i2d) {
  const int length = i2d(nullptr);
  if (length <= 0) return {};
  Bytes der(static_cast<std::size_t>(length));
  unsigned char* cursor = der.data();
  return i2d(&cursor) == length ? der : Bytes();
}

inline Bytes to_der_bytes(const X509* certificate) {
  if (certificate == nullptr) return {};
  return encode([certificate](unsigned char** out) { return i2d_X509(certificate, out); });
}

// As node:crypto shows names: one line for each part.
inline std::string name_text(const X509_NAME* name) {
  constexpr unsigned long kFlags =
      ASN1_STRFLGS_ESC_2253 | ASN1_STRFLGS_ESC_CTRL | ASN1_STRFLGS_UTF8_CONVERT | XN_FLAG_SEP_MULTILINE | XN_FLAG_FN_SN;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || X509_NAME_print_ex(bio.get(), name, 0, kFlags) < 0) return {};
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return size <= 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

// A failure with a code of ours that keeps what the error queue says; drains it.
inline FailurePtr failure_with_code(std::string code, std::string message) {
  auto failure = std::make_shared<Failure>();
  failure->code = std::move(code);
  failure->message = std::move(message);
  failure->errors = drain_errors();
  return failure;
}

}  // namespace system_tls::openssl
