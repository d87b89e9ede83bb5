// A socket that OpenSSL may read from by itself: what it asks for goes straight to where it is decrypted. For records
// so large that a system call for each costs less than a copy out of a buffer that many fit into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "openssl/library/failure.h"

namespace system_tls::engine {

// What one call moved; nothing of all: it would have had to wait.
struct Moved {
  std::size_t bytes = 0;
  bool eof = false;
  // Of a transport that failed, and not only ended, without a failure that could be told here.
  bool broken = false;
  openssl::FailurePtr failure;
};

class EncSource {
 public:
  virtual ~EncSource() = default;
  // Fills `to` and then `ahead`, in one call. Less than both: there is no more now.
  virtual Moved draw(std::span<std::uint8_t> to, std::span<std::uint8_t> ahead) = 0;
};

}  // namespace system_tls::engine
