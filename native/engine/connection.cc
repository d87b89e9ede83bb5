#include "engine/connection.h"

#include <openssl/err.h>
#include <openssl/ssl3.h>
#include <openssl/sslerr.h>

#include <utility>

#include "engine/callbacks/certificate.h"
#include "engine/callbacks/hello.h"
#include "engine/callbacks/psk.h"
#include "engine/job.h"
#include "engine/operations/run.h"
#include "engine/resumed_session.h"
#include "engine/wire/enc_bio.h"

namespace system_tls::engine {

using openssl::Failure;
using openssl::FailurePtr;

namespace {

// Bytes of files that one connection sends in a turn: others wait, and a fast peer takes all there is.
constexpr std::size_t kFileBudget = 1024 * 1024;

bool verification_failed(const openssl::ErrorList& errors) {
  for (const openssl::ErrorEntry& entry : errors) {
    if (entry.library == ERR_LIB_SSL && entry.reason == SSL_R_CERTIFICATE_VERIFY_FAILED) return true;
  }
  return false;
}

}  // namespace

FailurePtr misuse(int reason, const char* message) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_SSL, reason);
  return openssl::openssl_failure(message);
}

std::unique_ptr<Connection> Connection::create(openssl::SslPtr ssl, const ConnectionOptions& options, ChunkPool& pool,
                                               Events& events, FailurePtr& failure) {
  ERR_clear_error();
  if (!ssl || !configure(ssl.get(), options)) {
    failure = openssl::openssl_failure("The connection could not be set up");
    return nullptr;
  }
  std::unique_ptr<Connection> connection(new Connection(std::move(ssl), options, pool, events));
  openssl::BioPtr bio = make_enc_bio(connection->enc_);
  if (!bio) {
    failure = openssl::openssl_failure("The connection's BIO could not be made");
    return nullptr;
  }
  // One reference serves both directions (SSL_set_bio(3)).
  BIO* both = bio.release();
  SSL_set_bio(connection->ssl(), both, both);
  if (!connection->prepare_callbacks(options)) {
    failure = cannot_ask();
    return nullptr;
  }
  return connection;
}

Connection::Connection(openssl::SslPtr ssl, const ConnectionOptions& options, ChunkPool& pool, Events& events)
    : enc_(pool),
      ssl_(std::move(ssl)),
      events_(events),
      out_mark_(options.limits.out_mark),
      verify_host_(options.verify_host),
      server_(options.server),
      ktls_wanted_(options.ktls),
      external_sessions_(options.external_sessions),
      staples_anything_(options.staples_anything),
      record_sizing_(options.dynamic_record_sizing ? std::make_unique<RecordSizing>() : nullptr),
      key_updates_(options.limits.key_updates),
      renegotiation_(options.limits.renegotiations, options.limits.renegotiation_window),
      queue_(events),
      reader_(events, pool, options.limits.read_ahead, SSL_is_dtls(ssl_.get()) != 0) {
  if (SSL_is_dtls(ssl_.get()) != 0) {
    enc_.datagrams = std::make_shared<Datagrams>(ssl_.get());
    dtls_.emplace();
    dtls_->cookie_verified = dtls_->listening = options.cookie_verified;
    dtls_->mtu_given = options.mtu != 0;
  }
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_msg_callback(ssl_.get(), on_message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
  SSL_set_info_callback(ssl_.get(), on_info);
}

Connection::~Connection() {
  abandon_question();
  // SSL_free can still run callbacks (a session that is removed), and this object is going.
  SSL_set_msg_callback(ssl_.get(), nullptr);
  SSL_set_info_callback(ssl_.get(), nullptr);
  SSL_set_app_data(ssl_.get(), nullptr);
}

Connection* Connection::from(const SSL* ssl) { return static_cast<Connection*>(SSL_get_app_data(ssl)); }

bool Connection::tls13() const { return !dtls_ && SSL_version(ssl_.get()) >= TLS1_3_VERSION; }

void Connection::use_ktls(std::shared_ptr<Ktls> ktls) {
  enc_.ktls = std::move(ktls);
  SSL_set_options(ssl_.get(), SSL_OP_ENABLE_KTLS);
}

// What would need new keys: up to OpenSSL 3.5 they do not reach the kernel, which goes on with the old ones, and the
// peer's next record is the end of the connection.
FailurePtr Connection::kept_by_kernel(const char* what) const {
  if (!enc_.ktls || !enc_.ktls->active()) return nullptr;
  return openssl::named_failure("ERR_TLS_KTLS",
                                std::string(what) +
                                    " is not possible while the kernel encrypts or decrypts this connection, "
                                    "whose keys cannot be replaced: connect without the option ktls");
}

void Connection::start(Operation operation) {
  if (dead()) {
    events_.operation_failed(operation.id, failure());
    return;
  }
  if (operation.begins_handshake()) want_handshake();
  queue_.push(std::move(operation));
}

Cancelled Connection::cancel(OperationId id) {
  if (reader_.withdraw(id)) return Cancelled::withdrawn;
  // What it waits for has begun, and nobody can take it back.
  if (suspended() && queue_.waits_for_peer(id)) return Cancelled::under_way;
  const bool waited = queue_.stop_waiting(id);
  if (waited) reconsider_demand(*this);
  const Cancelled cancelled = queue_.withdraw(id, !established());
  return waited && cancelled == Cancelled::unknown ? Cancelled::withdrawn : cancelled;
}

void Connection::advance() {
  file_turn_ = {kFileBudget};
  while (step() == Step::progress) {
  }
}

std::size_t Connection::readable() const {
  return reader_.ahead_size() + static_cast<std::size_t>(SSL_pending(ssl_.get()));
}

bool Connection::can_advance() const { return !dead() && !suspended() && !queue_.empty() && out_below_mark(); }

Step Connection::step() {
  if (dead()) return step_dead();
  if (suspended()) return step_suspended();
  if (established()) {
    return run_first(*this) == Step::progress ? Step::progress : step_reads();
  }
  const Operation* first = queue_.first();
  if (first != nullptr && !first->begins_handshake()) return run_first(*this);
  return phase_ == Phase::handshaking ? drive_handshake() : Step::blocked;
}

Step Connection::drive_handshake() {
  if (dtls_ && dtls_->listening) return listen();
  if (suspension_) suspension_->take_call();
  if (psk_) {
    const PskChoice choice = choose_psk(*this);
    if (choice == PskChoice::waits) return Step::blocked;
    if (choice == PskChoice::failed) return fail_unanswered();
  }
  ERR_clear_error();
  const JobMode mode(ssl_.get(), may_pause());
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    handshake_complete();
    return Step::progress;
  }
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ) return Step::blocked;
  if (suspension_ && suspension_->leave(Suspension::Call::handshake, error)) {
    return suspension_->waits_for_nobody() ? Step::progress : Step::blocked;
  }
  fail(failure_after(result, "The TLS handshake failed"));
  return Step::progress;
}

// Nobody could say what the handshake needs before it begins: the owner knows why.
Step Connection::fail_unanswered() {
  auto failure = std::make_shared<Failure>();
  failure->code = "ERR_TLS_PSK_CALLBACK";
  failure->message = "The function onPsk failed";
  failure->question = suspension_->failed();
  fail(std::move(failure));
  return Step::progress;
}

void Connection::handshake_complete() {
  phase_ = Phase::established;
  enc_.in.hide_end(!strict_end_);
  // The client's Finished has answered all that was sent before them.
  if (server_ && tls13()) ending_.tickets_made(enc_.out.size());
  if (enc_.ktls) {
    enc_.ktls->handshake_complete();
    // The library does so itself where it has noticed; without, a renegotiation would end the connection.
    if (enc_.ktls->active()) SSL_set_options(ssl_.get(), SSL_OP_NO_RENEGOTIATION);
  }
  // It would ask for a cookie in each renegotiation.
  if (dtls_) SSL_clear_options(ssl_.get(), SSL_OP_COOKIE_EXCHANGE);
  const bool by_psk = psk_ && psk_used(ssl_.get());
  // A session that was made for a key has another result; nobody has shown a certificate, and nobody needs to.
  if (by_psk) SSL_set_verify_result(ssl_.get(), X509_V_OK);
  note_negotiated();
  // Where the application decides, it may have accepted another name, and the session was accepted for that host.
  const bool any_host = may_ask(kAskVerification);
  FailurePtr refused = psk_missing();
  // OpenSSL takes a pre-shared key for a session that is resumed.
  if (!refused && !by_psk) {
    refused = check_resumed_session(ssl_.get(), any_host ? std::string() : verify_host_);
  }
  if (refused) {
    fail(std::move(refused));
    return;
  }
  const Operation* first = queue_.first();
  if (first != nullptr && first->is<Operation::Handshake>()) queue_.done();
}

// From here to its end only SSL_read may be called. Driven by SSL_do_handshake or SSL_write, one application record
// that crosses it is a fatal "unexpected record".
bool Connection::renegotiating() const {
  return established() && !tls13() && (renegotiation_.driven() || SSL_in_init(ssl_.get()) != 0);
}

bool Connection::begin_scheduled_renegotiation() {
  if (!renegotiation_.scheduled()) return false;
  renegotiation_.begin();
  reader_.want_call(true);
  return true;
}

FailurePtr Connection::not_schedulable(const char* too_early, const char* too_late) const {
  if (dead()) return failure();
  if (send_failure()) return send_failure();
  if (suspended()) return suspended_failure();
  if (!established()) return misuse(SSL_R_STILL_IN_INIT, too_early);
  return close_notify_sent() ? misuse(SSL_R_PROTOCOL_IS_SHUTDOWN, too_late) : nullptr;
}

void Connection::note_negotiated() {
  negotiated_stale_ = false;
  ++negotiated_version_;
  events_.negotiated();
}

FailurePtr Connection::failure_after(int result, const char* during) {
  // Before the queue is drained: SSL_get_error looks at it.
  const int kind = SSL_get_error(ssl_.get(), result);
  const int read_error = enc_.ktls ? enc_.ktls->read_error() : 0;
  if (kind == SSL_ERROR_SYSCALL && read_error != 0) return openssl::system_failure(read_error, "read");
  if (kind == SSL_ERROR_SYSCALL && ERR_peek_error() == 0) {
    if (enc_.in.at_eof() && enc_.in.failure()) return enc_.in.failure();
    ERR_raise(ERR_LIB_SSL, SSL_R_UNEXPECTED_EOF_WHILE_READING);
  }
  auto failure = std::make_shared<Failure>();
  failure->errors = openssl::drain_errors();
  if (ending_.alert_is_fatal()) failure->alert = ending_.last_alert();
  if (verification_failed(failure->errors)) failure->verify_result = SSL_get_verify_result(ssl_.get());
  if (suspension_) failure->question = suspension_->failed();
  if (own_failure_) {
    failure->code = own_failure_->code;
    failure->message = own_failure_->message;
    failure->errors = own_failure_->errors;
    return failure;
  }
  if (hello_ && hello_->refusal != HelloState::Refusal::none) {
    failure->code = "ERR_TLS_UNRECOGNIZED_NAME";
    failure->message = hello_->refusal_text();
    return failure;
  }
  failure->message = std::string(during) + " (" + (server_ ? "server" : "client") + ", state '" +
                     SSL_state_string_long(ssl_.get()) + "')";
  return failure;
}

bool Connection::wants_input() const {
  if (dead() || peer_closed() || suspended()) return false;
  if (!established()) return phase_ == Phase::handshaking;
  return !reader_.blocked_on_delivery() && (reader_.wanted() || may_read_ahead());
}

bool Connection::pending() const {
  return !dead() && (!queue_.empty() || !queue_.waits().empty() || reader_.waiting());
}

}  // namespace system_tls::engine
