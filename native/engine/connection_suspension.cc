// Callbacks of OpenSSL's that wait for an answer of the application's, and what is left undone meanwhile.
#include <openssl/async.h>
#include <openssl/err.h>

#include <algorithm>
#include <utility>

#include "engine/callbacks/verification.h"
#include "engine/connection.h"
#include "engine/job.h"
#include "engine/suspension.h"

namespace system_tls::engine {

using Call = Suspension::Call;
using By = Suspension::By;
using openssl::FailurePtr;

namespace {

// One record's clear bytes (RFC 8446 section 5.1): SSL_read returns no more at a time.
constexpr std::size_t kRecord = 16 * 1024;

// A job of ours ends at its first resumption; one that a provider of the system's paused may need some.
constexpr int kResumptions = 64;

}  // namespace

bool Connection::set_may_ask(std::uint32_t kind, bool on) {
  if (on == may_ask(kind)) return true;
  if (suspended() || (on && server_ && kind == kAskVerification && !jobs_available())) return false;
  may_ask_ ^= kind;
  if (on && !suspension_) suspension_ = std::make_unique<Suspension>();
  return true;
}

FailurePtr Connection::cannot_ask() {
  return openssl::named_failure("ERR_TLS_ASYNC_UNAVAILABLE",
                                "A server's verification cannot wait for JavaScript here: OpenSSL has no ASYNC jobs on "
                                "this platform (openssl.features.async); omit the option verify");
}

FailurePtr Connection::suspended_failure() {
  return openssl::named_failure("ERR_TLS_CALLBACK_PENDING",
                                "A handshake of this connection waits for the answer of a callback: until then nothing "
                                "about it can be changed");
}

bool Connection::suspended() const { return suspension_ && suspension_->call != Call::none; }

bool Connection::waits_for_answer() const { return suspended() && suspension_->open() != 0; }

bool Connection::wants_job() const { return suspended() && suspension_->by == By::job_to_come; }

bool Connection::may_pause() const { return suspension_ && (suspension_->may_pause || verification_may_pause(*this)); }

bool Connection::uses_job() const { return suspended() && suspension_->by != By::retry; }

// On OpenSSL's stack.
void Connection::ask(std::shared_ptr<Subject> subject) {
  const QuestionId id = suspension_->ask(subject);
  note_negotiated();
  events_.question({id, std::move(subject)});
}

// ---------------------------------------------------------------------------------------------------------------------
// Around OpenSSL's calls

bool Connection::suspended_by(int error, bool reading) {
  if (!suspension_) return false;
  if (error == SSL_ERROR_WANT_RETRY_VERIFY || error == SSL_ERROR_WANT_CLIENT_HELLO_CB) {
    suspension_->by = By::retry;
  } else if (error == SSL_ERROR_WANT_ASYNC) {
    suspension_->by = By::job;
  } else if (error == SSL_ERROR_WANT_ASYNC_JOB) {
    suspension_->by = By::job_to_come;
  } else {
    return false;
  }
  suspension_->call = reading ? Call::read : Call::handshake;
  return true;
}

bool Connection::answer(QuestionId id, Answer answer) {
  return suspension_ && !dead() && suspension_->answer(id, std::move(answer));
}

// Between the answer and the repeated call nothing else happens, so what waits behind it finds `suspended()` false.
Step Connection::resume() {
  const Call call = suspension_->call;
  if (call == Call::handshake) return drive_handshake();
  // The job has its memory; a retry takes any.
  if (suspension_->by != By::retry) return read_in_job();
  suspension_->call = Call::none;
  reader_.want_call(true);
  return Step::progress;
}

// A provider of the system's may pause the job too, to wait for its hardware: it is asked again at once.
Step Connection::step_after_suspension() const {
  return suspension_->by == By::job && suspension_->open() == 0 ? Step::progress : Step::blocked;
}

Step Connection::step_suspended() {
  if (!waits_for_answer()) return resume();
  reader_.unblock();
  return reader_.ahead_wanted() ? serve_read_ahead() : Step::blocked;
}

// A request for the client's certificate, or a renegotiation, is answered inside SSL_read.
bool Connection::read_may_ask() const {
  if (!may_ask(kAskVerification) || !server_) return false;
  if (tls13()) return demand_.request_out();
  if ((SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) == 0) return false;
  return renegotiating() || renegotiation_.requested() ||
         (SSL_get_options(ssl_.get()) & SSL_OP_ALLOW_CLIENT_RENEGOTIATION) != 0;
}

// Into memory of the connection's own, from which readers are served as if it had been read ahead for them.
Step Connection::read_in_job() {
  const bool resumed = std::exchange(suspension_->call, Call::none) != Call::none;
  if (!resumed && !reader_.wanted() && !may_read_ahead()) return Step::blocked;
  if (suspension_->target.empty()) suspension_->target.resize(kRecord);
  const std::uint32_t messages_before = handshake_messages_;
  std::size_t count = 0;
  FailurePtr failure;
  const ReadResult result = read_some(suspension_->target, count, failure, true);
  if (suspended()) return step_after_suspension();
  reader_.keep_ahead(std::span(suspension_->target).first(count));
  suspension_->target = {};
  return conclude_read(result, std::move(failure), count != 0 || handshake_messages_ != messages_before);
}

// A job that is freed while it is paused leaks, with all that its stack owns. So it is told that nobody will answer,
// and driven to its end. What it still wants to say is an alert.
void Connection::abandon_question() {
  if (!suspension_) return;
  suspension_->abandon();
  const Call call = std::exchange(suspension_->call, Call::none);
  if (call == Call::none || suspension_->by != By::job) return;
  const JobMode mode(ssl_.get(), true);
  for (int left = kResumptions; left != 0; --left) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = call == Call::handshake
                           ? SSL_do_handshake(ssl_.get())
                           : SSL_read_ex(ssl_.get(), suspension_->target.data(), suspension_->target.size(), &count);
    if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_ASYNC) break;
  }
  ERR_clear_error();
}

}  // namespace system_tls::engine
