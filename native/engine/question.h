// What OpenSSL asks in the middle of a handshake and only the application can answer, perhaps much later.
//
// The handshake waits meanwhile: by OpenSSL's own retry code where the callback has one
// (SSL_CTX_set_client_hello_cb(3), SSL_set_retry_verify(3)), else by pausing the ASYNC job in which the call runs
// (ASYNC_start_job(3)). JavaScript never runs on OpenSSL's stack, not even for an answer that is there at once.
//
// Nothing here knows the kinds of questions: each has a file in engine/callbacks, and one in binding/questions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <openssl/ssl.h>

namespace system_tls::engine {

// Unique on a connection, never 0.
using QuestionId = std::uint32_t;

// What is asked about.
class Subject {
 public:
  // The numbers of QuestionKind in types/binding.d.ts.
  explicit Subject(std::int32_t kind) : kind_(kind) {}
  virtual ~Subject() = default;
  Subject(const Subject&) = delete;
  Subject& operator=(const Subject&) = delete;

  std::int32_t kind() const { return kind_; }

 private:
  const std::int32_t kind_;
};

struct Question {
  QuestionId id = 0;
  std::shared_ptr<const Subject> subject;
};

struct Answer {
  // Runs on OpenSSL's stack, in the callback that asked, which knows what the result stands for.
  std::function<int(SSL*)> result;
  // Nobody could decide: the handshake fails, and its failure names the question.
  bool failed = false;

  static Answer of(int result, bool failed = false) {
    return {[result](SSL*) { return result; }, failed};
  }
};

}  // namespace system_tls::engine
