// What went wrong, in a form that crosses threads and the binding; TypeScript makes the Error of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "openssl/library/errors.h"

namespace system_tls::openssl {

struct Alert {
  int level = 0;         // 1 warning, 2 fatal
  int description = -1;  // RFC 8446 section 6; -1: none
  bool received = false;
};

struct Failure {
  // Set for what is not OpenSSL's: ERR_TLS_..., or an errno name is derived from `system_error`.
  std::string code;
  std::string message;
  int system_error = 0;  // errno, positive
  std::string syscall;
  ErrorList errors;
  Alert alert;
  long verify_result = 0;  // X509_V_...; 0 is X509_V_OK
  // The question that the application failed to answer; 0: none.
  std::uint32_t question = 0;
};

using FailurePtr = std::shared_ptr<const Failure>;

// The failure that the current error queue describes; drains it.
FailurePtr openssl_failure(std::string message);
// A misuse or a policy of ours, with a stable code.
FailurePtr named_failure(std::string code, std::string message);
// A system call that failed with this errno.
FailurePtr system_failure(int system_error, std::string syscall);

}  // namespace system_tls::openssl
