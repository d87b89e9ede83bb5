// What OpenSSL asks in the middle of a handshake and only the application can answer, perhaps much later.
//
// The handshake waits meanwhile: by OpenSSL's own retry code where the callback has one (a client's verification,
// SSL_set_retry_verify(3)), else by pausing the ASYNC job in which the call runs (ASYNC_start_job(3)). JavaScript never
// runs on OpenSSL's stack, not even for an answer that is there at once.
#pragma once

#include <cstdint>

#include "openssl/verify_report.h"

namespace system_tls::engine {

// Unique on a connection, never 0.
using QuestionId = std::uint32_t;

struct Question {
  // The numbers of QuestionKind in types/binding.d.ts.
  enum class Kind : std::int32_t { verify = 1 };

  QuestionId id = 0;
  Kind kind = Kind::verify;
  openssl::VerifyReport report;
};

struct Answer {
  // Nobody could decide: the handshake fails, and its failure names the question.
  bool failed = false;
  // Kind::verify: X509_V_..., X509_V_OK accepts.
  int result = 0;
};

}  // namespace system_tls::engine
