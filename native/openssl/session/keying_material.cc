#include "openssl/session/keying_material.h"

#include <openssl/ssl.h>

#include "openssl/library/errors.h"

namespace system_tls::openssl {

namespace {
constexpr std::uint32_t kMost = 64 * 1024;
}  // namespace

FailurePtr export_keying_material(SSL* ssl, const KeyingMaterial& wanted, Bytes& material) {
  const ErrorScope errors;
  if (wanted.length <= kMost) {
    material.resize(wanted.length);
    const bool with_context = wanted.context.has_value();
    const ByteView context = with_context ? ByteView(*wanted.context) : ByteView();
    const int result = SSL_export_keying_material(ssl, material.data(), material.size(), wanted.label.data(),
                                                  wanted.label.size(), context.data(), context.size(), with_context);
    if (result == 1) return nullptr;
  }
  return openssl_failure(
      "No keying material can be exported: it needs a completed handshake, a label that is not reserved and a length "
      "that the hash can give");
}

}  // namespace system_tls::openssl
