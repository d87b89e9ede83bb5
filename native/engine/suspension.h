// What a connection that may ask has left undone: which call of OpenSSL's, by what means, and for which question.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "engine/question.h"

namespace system_tls::engine {

class Suspension {
 public:
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
  // An answer has set what may wait in a job.
  bool may_pause = false;
  // Where a paused SSL_read writes: neither the slab nor JavaScript's memory keeps still for so long.
  std::vector<std::uint8_t> target;

  // Asked and not answered; 0: none.
  QuestionId open() const { return open_; }
  bool answered() const { return answer_.has_value(); }
  bool waits() const { return !answer_ && !abandoned_; }
  // Nobody will answer any more: whoever asks has to refuse.
  bool abandoned() const { return abandoned_; }
  // Whose answer failed; 0: none.
  QuestionId failed() const { return failed_; }
  // Of the question that is open, or whose answer was not taken yet.
  Subject* subject() const { return subject_.get(); }

  QuestionId ask(std::shared_ptr<Subject> subject) {
    subject_ = std::move(subject);
    return open_ = ++last_;
  }
  // False: it is not open (any more).
  bool answer(QuestionId id, Answer answer) {
    if (open_ != id || id == 0) return false;
    open_ = 0;
    may_pause |= answer.may_pause;
    answer_ = std::move(answer);
    return true;
  }
  void close_question() { open_ = 0; }
  // On OpenSSL's stack, if it is answered(). The subject is given up with it.
  int take(SSL* ssl) {
    const Answer answer = *std::exchange(answer_, std::nullopt);
    if (answer.failed) failed_ = last_;
    return answer.result(ssl);
  }
  void abandon() {
    abandoned_ = true;
    open_ = 0;
    answer_.reset();
  }

 private:
  QuestionId open_ = 0;
  QuestionId last_ = 0;
  QuestionId failed_ = 0;
  bool abandoned_ = false;
  std::shared_ptr<Subject> subject_;
  // Given, and not yet taken by the callback that asked.
  std::optional<Answer> answer_;
};

}  // namespace system_tls::engine
