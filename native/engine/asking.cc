// Callbacks of OpenSSL's that wait for an answer of the application's, and what is left undone meanwhile.
#include <openssl/async.h>
#include <openssl/err.h>

#include <algorithm>
#include <utility>

#include "engine/connection.h"
#include "engine/inquiry.h"
#include "engine/job.h"

namespace system_tls::engine {

using Call = Inquiry::Call;
using By = Inquiry::By;
using openssl::FailurePtr;

namespace {

// One record's clear bytes (RFC 8446 section 5.1): SSL_read returns no more at a time.
constexpr std::size_t kRecord = 16 * 1024;

// A job of ours ends at its first resumption; one that a provider of the system's paused may need some.
constexpr int kResumptions = 64;

}  // namespace

bool Connection::set_asking(bool on) {
  if (on == asking()) return true;
  if (suspended() || (on && server_ && !jobs_available())) return false;
  inquiry_ = on ? std::make_unique<Inquiry>() : nullptr;
  return true;
}

FailurePtr Connection::cannot_ask() {
  return openssl::named_failure("ERR_TLS_ASYNC_UNAVAILABLE",
                                "A server's verification cannot wait for JavaScript here: OpenSSL has no ASYNC jobs on "
                                "this platform (openssl.features.async); leave the option verify away");
}

FailurePtr Connection::suspended_failure() {
  return openssl::named_failure("ERR_TLS_CALLBACK_PENDING",
                                "A handshake of this connection waits for the answer of a callback: until then nothing "
                                "about it can be changed");
}

bool Connection::suspended() const { return inquiry_ && inquiry_->call != Call::none; }

bool Connection::waits_for_answer() const { return suspended() && inquiry_->open != 0; }

bool Connection::wants_job() const { return suspended() && inquiry_->by == By::job_to_come; }

bool Connection::uses_job() const { return suspended() && inquiry_->by != By::retry; }

// ---------------------------------------------------------------------------------------------------------------------
// On OpenSSL's stack

int Connection::on_verify(X509_STORE_CTX* store) {
  // A retry: the whole callback is called again.
  if (inquiry_->answer) return conclude_verification(store);
  Question question;
  if (inquiry_->abandoned || !openssl::examine(store, question.report)) return 0;
  ask(std::move(question));
  return server_ ? verify_in_job(store) : verify_by_retry(store);
}

void Connection::ask(Question question) {
  question.id = inquiry_->open = ++inquiry_->last;
  note_negotiated();
  events_.question(question);
}

int Connection::verify_by_retry(X509_STORE_CTX* store) {
  inquiry_->chain.reset(X509_STORE_CTX_get1_chain(store));
  return SSL_set_retry_verify(ssl_.get());
}

int Connection::verify_in_job(X509_STORE_CTX* store) {
  // Without a job there is no waiting, and what is not answered is refused.
  while (!inquiry_->answer && ASYNC_get_current_job() != nullptr && ASYNC_pause_job() == 1) {
  }
  if (inquiry_->answer) return conclude_verification(store);
  inquiry_->open = 0;
  X509_STORE_CTX_set_error(store, X509_V_ERR_UNSPECIFIED);
  return 0;
}

int Connection::conclude_verification(X509_STORE_CTX* store) {
  const Answer answer = *std::exchange(inquiry_->answer, std::nullopt);
  if (answer.failed) inquiry_->failed = inquiry_->last;
  if (inquiry_->chain) X509_STORE_CTX_set0_verified_chain(store, inquiry_->chain.release());
  // Also where an error is overruled: the result would contradict the outcome.
  X509_STORE_CTX_set_error(store, answer.result);
  return answer.result == X509_V_OK ? 1 : 0;
}

// ---------------------------------------------------------------------------------------------------------------------
// Around OpenSSL's calls

bool Connection::suspended_by(int error, bool reading) {
  if (!inquiry_) return false;
  if (error == SSL_ERROR_WANT_RETRY_VERIFY) {
    inquiry_->by = By::retry;
  } else if (error == SSL_ERROR_WANT_ASYNC) {
    inquiry_->by = By::job;
  } else if (error == SSL_ERROR_WANT_ASYNC_JOB) {
    inquiry_->by = By::job_to_come;
  } else {
    return false;
  }
  inquiry_->call = reading ? Call::read : Call::handshake;
  return true;
}

bool Connection::answer(QuestionId id, const Answer& answer) {
  if (!inquiry_ || inquiry_->open != id || id == 0 || dead()) return false;
  inquiry_->open = 0;
  inquiry_->answer = answer;
  return true;
}

// Between the answer and the repeated call nothing else happens, so what waits behind it finds `suspended()` false.
Connection::Step Connection::resume() {
  const Call call = inquiry_->call;
  if (call == Call::handshake) return drive_handshake();
  // The job has its memory; a retry takes any.
  if (inquiry_->by != By::retry) return read_in_job();
  inquiry_->call = Call::none;
  read_kick_ = true;
  return Step::progress;
}

// A provider of the system's may pause the job too, to wait for its hardware: it is asked again at once.
Connection::Step Connection::suspension() const {
  return inquiry_->by == By::job && inquiry_->open == 0 ? Step::progress : Step::blocked;
}

Connection::Step Connection::step_suspended() {
  if (!waits_for_answer()) return resume();
  blocked_on_delivery_ = false;
  return !read_ahead_.empty() && reads_wanted() ? serve_read_ahead() : Step::blocked;
}

// A request for the client's certificate, or a renegotiation, is answered inside SSL_read.
bool Connection::read_may_ask() const {
  if (!inquiry_ || !server_) return false;
  if (tls13()) return certificate_request_sent_;
  if ((SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) == 0) return false;
  return renegotiating() || requests_open_ != 0 ||
         (SSL_get_options(ssl_.get()) & SSL_OP_ALLOW_CLIENT_RENEGOTIATION) != 0;
}

// Into memory of the connection's own, from which readers are served as if it had been read ahead for them.
Connection::Step Connection::read_in_job() {
  const bool resumed = std::exchange(inquiry_->call, Call::none) != Call::none;
  if (!resumed && !reads_wanted() && !may_read_ahead()) return Step::blocked;
  if (inquiry_->target.empty()) inquiry_->target.resize(kRecord);
  const std::uint32_t messages_before = handshake_messages_;
  read_kick_ = false;
  std::size_t count = 0;
  FailurePtr failure;
  const ReadResult result = read_some(inquiry_->target, count, failure, true);
  if (suspended()) return suspension();
  keep_ahead(std::span(inquiry_->target).first(count));
  inquiry_->target = {};
  return conclude_read(result, std::move(failure), count != 0 || handshake_messages_ != messages_before);
}

// A job that is freed while it is paused leaks, with all that its stack owns. So it is told that nobody will answer,
// and driven to its end. What it still wants to say is an alert.
void Connection::abandon_question() {
  if (!inquiry_) return;
  inquiry_->abandoned = true;
  inquiry_->open = 0;
  inquiry_->answer = Answer{false, X509_V_ERR_UNSPECIFIED};
  const Call call = std::exchange(inquiry_->call, Call::none);
  if (call == Call::none || inquiry_->by != By::job) return;
  const JobMode mode(ssl_.get(), true);
  for (int left = kResumptions; left != 0; --left) {
    ERR_clear_error();
    std::size_t count = 0;
    const int result = call == Call::handshake
                           ? SSL_do_handshake(ssl_.get())
                           : SSL_read_ex(ssl_.get(), inquiry_->target.data(), inquiry_->target.size(), &count);
    if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_ASYNC) break;
  }
  ERR_clear_error();
}

}  // namespace system_tls::engine
