// What a connection that may ask has left undone: which call of OpenSSL's, by what means, and for which question.
//
// Invariant: one question is open at a time, and an answer is taken once. Whoever abandons is asked nothing more.
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

  // The call has come back with `error` (SSL_get_error(3)). True: it is unfinished. Until it is repeated, and with the
  // same memory, nothing else may touch the SSL: an SSL_write would resume the paused SSL_read, unanswered, and return
  // its result.
  bool leave(Call call, int error);
  // The same for one that has not begun: it waits for the answer to what was asked before it.
  void leave_before(Call call) {
    call_ = call;
    by_ = By::retry;
  }
  bool unfinished() const { return call_ != Call::none; }
  bool waits_for_answer() const { return unfinished() && open_ != 0; }
  // In an ASYNC job, or waiting for one: all of the thread are in use.
  bool uses_job() const { return unfinished() && by_ != By::retry; }
  bool wants_job() const { return unfinished() && by_ == By::job_to_come; }
  // It is repeated at once: a provider of the system's pauses jobs too, to wait for its hardware, and a call that needs
  // a job is left to be repeated in one.
  bool waits_for_nobody() const { return by_ != By::job_to_come && open_ == 0; }
  Call call() const { return call_; }
  // It is repeated now, or never.
  Call take_call() { return std::exchange(call_, Call::none); }
  // Where a paused SSL_read writes: neither the slab nor JavaScript's memory keeps still for so long.
  std::vector<std::uint8_t> target;

  // Asked and not answered; 0: none.
  QuestionId open() const { return open_; }
  bool answered() const { return answer_.has_value(); }
  bool waits() const { return !answer_ && !abandoned_; }
  // Nobody will answer any more: whoever asks has to refuse.
  bool abandoned() const { return abandoned_; }
  // Whose answer failed, or was refused; 0: none.
  QuestionId failed() const { return failed_; }
  // Of the question that is open, or whose answer was not taken yet: take() and abandon() give it up.
  Subject* subject() const { return subject_.get(); }

  QuestionId ask(std::shared_ptr<Subject> subject);
  // False: it is not open (any more).
  bool answer(QuestionId id, Answer answer);
  void close_question() { open_ = 0; }
  // On OpenSSL's stack, if it is answered().
  int take(SSL* ssl);
  // While it is taken: OpenSSL refuses it.
  void refuse() { failed_ = last_; }
  // True: a job is paused, which has to be driven to its end.
  bool abandon();

 private:
  enum class By : std::uint8_t {
    retry,       // the call has returned, and asks again when it is repeated
    job,         // the call is paused in its ASYNC job, and goes on when it is repeated
    job_to_come  // the call has not begun
  };

  Call call_ = Call::none;
  By by_ = By::retry;
  QuestionId open_ = 0;
  QuestionId last_ = 0;
  QuestionId failed_ = 0;
  bool abandoned_ = false;
  std::shared_ptr<Subject> subject_;
  // Given, and not yet taken by the callback that asked.
  std::optional<Answer> answer_;
};

}  // namespace system_tls::engine
