// SSL_export_keying_material(3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

struct KeyingMaterial {
  std::uint32_t length = 0;
  std::string label;
  // Absent and empty differ in TLS 1.2 (RFC 5705 section 4).
  std::optional<Bytes> context;
};

// Null, and `material` is filled; or why there is none.
FailurePtr export_keying_material(SSL* ssl, const KeyingMaterial& wanted, Bytes& material);

}  // namespace system_tls::openssl
