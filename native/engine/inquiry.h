// The state of a connection that asks: which question is open, and which call of OpenSSL's waits for the answer.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "engine/question.h"
#include "openssl/handles.h"

namespace system_tls::engine {

struct Inquiry {
  enum class Call : std::uint8_t { none, handshake, read };
  enum class By : std::uint8_t {
    retry,       // the call has returned, and asks again when it is repeated
    job,         // the call is paused in its ASYNC job, and goes on when it is repeated
    job_to_come  // the call has not begun: all jobs of the thread are in use
  };

  // The call that was left unfinished. Until it is repeated, and with the same memory, nothing else may touch the SSL:
  // an SSL_write would resume the paused SSL_read, unanswered, and return its result.
  Call call = Call::none;
  By by = By::retry;
  // Asked and not answered; 0: none.
  QuestionId open = 0;
  QuestionId last = 0;
  // Given, and not yet taken by the callback that asked.
  std::optional<Answer> answer;
  // Nobody will answer any more.
  bool abandoned = false;
  // Whose answer failed.
  QuestionId failed = 0;
  // What was found, for OpenSSL's second call of a callback that retries.
  openssl::X509StackPtr chain;
  // Where a paused SSL_read writes: neither the slab nor JavaScript's memory keeps still for so long.
  std::vector<std::uint8_t> target;
};

}  // namespace system_tls::engine
