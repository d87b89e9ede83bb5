#include "engine/suspension.h"

namespace system_tls::engine {

bool Suspension::leave(Call call, int error) {
  switch (error) {
    case SSL_ERROR_WANT_RETRY_VERIFY:
    case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    case SSL_ERROR_WANT_X509_LOOKUP:
      by_ = By::retry;
      break;
    case SSL_ERROR_WANT_ASYNC:
      by_ = By::job;
      break;
    case SSL_ERROR_WANT_ASYNC_JOB:
      by_ = By::job_to_come;
      break;
    default:
      return false;
  }
  call_ = call;
  return true;
}

QuestionId Suspension::ask(std::shared_ptr<Subject> subject) {
  subject_ = std::move(subject);
  return open_ = ++last_;
}

bool Suspension::answer(QuestionId id, Answer answer) {
  if (open_ != id || id == 0) return false;
  open_ = 0;
  answer_ = std::move(answer);
  return true;
}

int Suspension::take(SSL* ssl) {
  const Answer answer = *std::exchange(answer_, std::nullopt);
  if (answer.failed) failed_ = last_;
  subject_.reset();
  return answer.result(ssl);
}

bool Suspension::abandon() {
  abandoned_ = true;
  open_ = 0;
  answer_.reset();
  subject_.reset();
  return unfinished() && by_ == By::job;
}

}  // namespace system_tls::engine
