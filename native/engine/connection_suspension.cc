// Callbacks of OpenSSL's that wait for an answer of the application's, and what is left undone meanwhile.
#include <openssl/async.h>
#include <openssl/err.h>

#include <algorithm>
#include <utility>

#include "engine/callbacks/hello.h"
#include "engine/callbacks/verification.h"
#include "engine/connection.h"
#include "engine/job.h"

namespace system_tls::engine {

using Call = Suspension::Call;
using openssl::FailurePtr;

namespace {

// One record's clear bytes (RFC 8446 section 5.1): SSL_read returns no more at a time.
constexpr std::size_t kRecord = 16 * 1024;

// A job of ours ends at its first resumption; one that a provider of the system's paused may need some.
constexpr int kResumptions = 64;

}  // namespace

bool Connection::set_may_ask(std::uint32_t kind, bool on) {
  if (on == may_ask(kind)) return true;
  const bool needs_jobs = kind == kAskStatus || (server_ && kind == kAskVerification);
  if (suspended() || (on && needs_jobs && !jobs_available())) return false;
  may_ask_ ^= kind;
  if (on && !suspension_) suspension_ = std::make_unique<Suspension>();
  return true;
}

bool Connection::prepare_callbacks(const ConnectionOptions& options) {
  for (std::uint32_t kind = 1; kind <= options.asks; kind <<= 1U) {
    if ((options.asks & kind) != 0 && !set_may_ask(kind, true)) return false;
  }
  prepare_psk(options);
  prepare_hello(options);
  prepare_certificate();
  return true;
}

bool Connection::may_pause() const {
  if (!server_) return may_ask(kAskStatus) || (may_ask(kAskPsk) && jobs_available());
  if (may_ask(kAskVerification) && (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0) return true;
  // Up to TLS 1.2 the identity comes behind the ClientHello.
  const bool decided = hello_ && hello_->stage == HelloState::Stage::decided;
  return may_ask(kAskPsk) && decided && !hello_->tls13 && jobs_available();
}

FailurePtr Connection::cannot_ask() {
  return openssl::named_failure("ERR_TLS_ASYNC_UNAVAILABLE",
                                "A server's verification and a client's check of OCSP cannot wait for JavaScript here: "
                                "OpenSSL has no ASYNC jobs on this platform (openssl.features.async); omit the options "
                                "verify and onStatus");
}

FailurePtr Connection::suspended_failure() {
  return openssl::named_failure("ERR_TLS_CALLBACK_PENDING",
                                "A handshake of this connection waits for the answer of a callback: until then nothing "
                                "about it can be changed");
}

// On OpenSSL's stack.
void Connection::ask(std::shared_ptr<Subject> subject) {
  const QuestionId id = suspension_->ask(subject);
  note_negotiated();
  events_.question({id, std::move(subject)});
}

void Connection::refuse_answer(FailurePtr why) {
  suspension_->refuse();
  fail_with(std::move(why));
}

// ---------------------------------------------------------------------------------------------------------------------
// Around OpenSSL's calls

bool Connection::answer(QuestionId id, Answer answer) {
  return suspension_ && !dead() && suspension_->answer(id, std::move(answer));
}

// Between the answer and the repeated call nothing else happens, so what waits behind it finds `suspended()` false.
Step Connection::resume() {
  if (suspension_->call() == Call::handshake) return drive_handshake();
  // The job has its memory; a retry takes any.
  if (suspension_->uses_job()) return read_in_job();
  suspension_->take_call();
  reader_.want_call(true);
  return Step::progress;
}

Step Connection::step_suspended() {
  if (!suspension_->waits_for_answer()) return resume();
  reader_.unblock();
  return reader_.ahead_wanted() ? serve_read_ahead() : Step::blocked;
}

// A request for the client's certificate, or a renegotiation, is answered inside SSL_read. A client never knows when
// the server will begin one.
bool Connection::read_may_ask() const {
  if (!server_) return may_ask(kAskStatus) && !tls13();
  if (tls13()) return may_ask(kAskVerification) && demand_.request_out();
  const bool verifies = may_ask(kAskVerification) && (SSL_get_verify_mode(ssl_.get()) & SSL_VERIFY_PEER) != 0;
  if (!verifies && !(may_ask(kAskPsk) && jobs_available())) return false;
  return renegotiating() || renegotiation_.requested() ||
         (SSL_get_options(ssl_.get()) & SSL_OP_ALLOW_CLIENT_RENEGOTIATION) != 0;
}

// Into memory of the connection's own, from which readers are served as if it had been read ahead for them.
Step Connection::read_in_job() {
  const bool resumed = suspension_->take_call() != Call::none;
  if (!resumed && !reader_.wanted() && !may_read_ahead()) return Step::blocked;
  if (suspension_->target.empty()) suspension_->target.resize(kRecord);
  const std::uint32_t messages_before = handshake_messages_;
  std::size_t count = 0;
  FailurePtr failure;
  const ReadResult result = read_some(suspension_->target, count, failure, true);
  if (suspended()) return suspension_->waits_for_nobody() ? Step::progress : Step::blocked;
  reader_.keep_ahead(std::span(suspension_->target).first(count));
  suspension_->target = {};
  return conclude_read(result, std::move(failure), count != 0 || handshake_messages_ != messages_before);
}

// A job that is freed while it is paused leaks, with all that its stack owns. So it is told that nobody will answer,
// and driven to its end. What it still wants to say is an alert.
void Connection::abandon_question() {
  if (!suspension_) return;
  const bool paused = suspension_->abandon();
  const Call call = suspension_->take_call();
  if (!paused) return;
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
