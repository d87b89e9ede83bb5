// Verification of the peer's certificates by the application: SSL_CTX_set_cert_verify_callback(3). A client waits by
// SSL_set_retry_verify(3), a server in an ASYNC job.
#pragma once

#include "engine/question.h"
#include "openssl/library/handles.h"
#include "openssl/trust/verify_report.h"

namespace system_tls::engine {

class Connection;

// An answer's result is X509_V_..., X509_V_OK accepts.
class VerificationSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 1;
  VerificationSubject() : Subject(kKind) {}

  openssl::VerifyReport report;
  // What was found, for OpenSSL's second call of a callback that retries.
  openssl::X509StackPtr chain;
};

// As SSL_CTX_set_cert_verify_callback(3) wants it. For a connection that asks so.
int verify_by_asking(Connection& connection, X509_STORE_CTX* store);

}  // namespace system_tls::engine
