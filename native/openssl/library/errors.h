// The OpenSSL error queue of this thread, captured whole.
#pragma once

#include <openssl/err.h>

#include <string>
#include <vector>

namespace system_tls::openssl {

// One entry of the queue, as ERR_get_error_all(3) gives it.
struct ErrorEntry {
  int library = 0;  // ERR_GET_LIB
  int reason = 0;   // ERR_GET_REASON: stable between versions, unlike its text
  std::string library_name;
  std::string reason_text;
  std::string function;
  std::string data;
};

using ErrorList = std::vector<ErrorEntry>;

// Empties the queue; oldest entry first, which is the root cause.
ErrorList drain_errors();

// ERR_clear_error() for the data path: it goes through all of the queue, and that is nearly always empty.
inline void clear_errors() noexcept {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

// Leaves the queue empty at both ends of a scope, so that no call sees what another left behind.
class ErrorScope {
 public:
  ErrorScope() noexcept;
  ~ErrorScope();
  ErrorScope(const ErrorScope&) = delete;
  ErrorScope& operator=(const ErrorScope&) = delete;
};

}  // namespace system_tls::openssl
