#include "openssl/library/failure.h"

#include <cstring>
#include <utility>

namespace system_tls::openssl {

FailurePtr openssl_failure(std::string message) {
  auto failure = std::make_shared<Failure>();
  failure->message = std::move(message);
  failure->errors = drain_errors();
  return failure;
}

FailurePtr named_failure(std::string code, std::string message) {
  auto failure = std::make_shared<Failure>();
  failure->code = std::move(code);
  failure->message = std::move(message);
  return failure;
}

FailurePtr system_failure(int system_error, std::string syscall) {
  auto failure = std::make_shared<Failure>();
  failure->system_error = system_error;
  failure->syscall = std::move(syscall);
  failure->message = std::strerror(system_error);
  return failure;
}

}  // namespace system_tls::openssl
