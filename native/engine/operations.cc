// The ordered operations: what each does when it is its turn.
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <utility>

#include "engine/connection.h"
#include "openssl/resumption.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using Kind = Operation::Kind;
using Stage = Operation::Stage;

namespace {

// Encrypted in one SSL_write and sent together: four full records.
constexpr std::size_t kWriteBatch = 64 * 1024;

FailurePtr peer_has_closed() {
  return openssl::named_failure(
      "ERR_TLS_PEER_CLOSED",
      "The peer has closed its side of the connection (close_notify) and will not answer any more");
}

int update_type(bool request, const KeyUpdates& updates) {
  return request && updates.may_request() ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
}

const char* before_handshake(Kind kind) {
  switch (kind) {
    case Kind::key_update:
      return "A key update needs a completed handshake: await connect(), accept() or handshake() first";
    case Kind::renegotiate:
      return "A renegotiation needs a completed handshake: await connect(), accept() or handshake() first";
    case Kind::client_certificate:
      return "Asking for a client certificate needs a completed handshake: await accept() first";
    default:
      return "shutdown() needs a completed handshake: there is nothing to close yet; use close()";
  }
}

}  // namespace

FailurePtr misuse(int reason, const char* message) {
  ERR_clear_error();
  ERR_raise(ERR_LIB_SSL, reason);
  return openssl::openssl_failure(message);
}

void Connection::start(Operation operation) {
  if (dead()) {
    events_.operation_failed(operation.id, failure());
    return;
  }
  if (begins_handshake(operation.kind)) want_handshake();
  operations_.push(std::move(operation));
}

Connection::Step Connection::done(std::int64_t result) {
  operations_.done(result);
  return Step::progress;
}

Connection::Step Connection::fail_operation(FailurePtr failure) {
  operations_.fail(std::move(failure));
  return Step::progress;
}

Connection::Step Connection::step_operations() {
  Operation* first = operations_.first();
  return first == nullptr ? Step::blocked : run(*first);
}

Connection::Step Connection::run(Operation& operation) {
  if (!established()) {
    const int reason = operation.kind == Kind::shutdown ? SSL_R_SHUTDOWN_WHILE_IN_INIT : SSL_R_STILL_IN_INIT;
    return fail_operation(misuse(reason, before_handshake(operation.kind)));
  }
  if (send_failure()) return run_unsendable(operation);
  if (operation.stage == Stage::sending) return run_sending(operation);
  if (operation.kind != Kind::shutdown && operation.kind != Kind::handshake && operation.stage == Stage::queued &&
      close_notify_sent()) {
    return fail_operation(
        misuse(SSL_R_PROTOCOL_IS_SHUTDOWN, "shutdown() was called on this connection: nothing can be sent any more"));
  }
  switch (operation.kind) {
    case Kind::handshake:
      return run_handshake(operation);
    case Kind::write:
      return run_write(operation);
    case Kind::send_file:
      return run_send_file(operation);
    case Kind::key_update:
      return run_key_update(operation);
    case Kind::renegotiate:
      return run_renegotiate(operation);
    case Kind::client_certificate:
      return run_client_certificate(operation);
    case Kind::shutdown:
      return run_shutdown(operation);
  }
  return Step::blocked;
}

// The queue is held until what the operation made is written: the manual's rule that writing must be complete before a
// key update.
Connection::Step Connection::run_sending(Operation& operation) {
  if (operation.kind == Kind::shutdown) {
    if (!enc_.out.empty()) return Step::blocked;
    if (!operation.flag || peer_closed()) return done();
    wait_for_peer({operation.id, PeerWait::Kind::close_notify, false});
    operations_.leave();
    return Step::progress;
  }
  if (!out_below_mark()) return Step::blocked;
  if (operation.kind == Kind::key_update) return key_update_sent(operation);
  // The others end when the peer has answered: their PeerWait is registered already.
  operations_.leave();
  return Step::progress;
}

// Ours is on its way, whatever becomes of the peer's.
Connection::Step Connection::key_update_sent(const Operation& operation) {
  const OperationId id = operation.id;
  const bool requested = operation.flag;
  done();
  if (requested && peer_closed()) events_.operation_failed(id, peer_has_closed());
  return Step::progress;
}

// SSL_do_handshake on an established connection: performs at once what was scheduled.
Connection::Step Connection::run_handshake(Operation& operation) {
  if (operation.stage == Stage::running) return renegotiation_.driven() ? Step::blocked : done();
  if (renegotiation_.scheduled()) {
    begin_renegotiation();
    operation.stage = Stage::running;
    return Step::progress;
  }
  if (!flush_scheduled()) return Step::progress;
  return done();
}

Connection::Step Connection::run_write(Operation& operation) {
  if (renegotiation_.scheduled()) {
    begin_renegotiation();
    return Step::progress;
  }
  // Driven by SSL_write, a renegotiation dies of the first application record that crosses it.
  if (renegotiating()) return Step::blocked;
  if (operation.offset == operation.length) return out_below_mark() ? done() : Step::blocked;
  if (!out_below_mark()) return Step::blocked;
  if (FailurePtr refused = message_refused(operation.length)) return fail_operation(std::move(refused));
  ClearSource::Part part = operation.source->part(operation.offset, operation.length);
  if (part.failure) {
    if (operation.offset == 0) return fail_operation(std::move(part.failure));
    // A part has gone out: what came after it would look to the peer as if nothing was missing.
    fail(std::move(part.failure));
    return Step::progress;
  }
  if (part.bytes.empty()) return Step::blocked;
  const std::size_t count = std::min(kWriteBatch, part.bytes.size());
  const std::size_t written = write_clear(part.bytes.first(count));
  if (written == 0) return dead() ? Step::progress : Step::blocked;
  operation.stage = Stage::running;
  operation.offset += written;
  return Step::progress;
}

// How much was taken.
std::size_t Connection::write_clear(std::span<const std::uint8_t> clear) {
  if (!record_sizing_) return write_records(clear) ? clear.size() : 0;
  record_sizing_->begin(RecordSizing::Clock::now());
  std::size_t written = 0;
  while (written < clear.size()) {
    const std::size_t count = std::min(clear.size() - written, record_sizing_->most());
    if (!write_records(clear.subspan(written, count))) break;
    record_sizing_->wrote(count);
    written += count;
  }
  return written;
}

bool Connection::write_records(std::span<const std::uint8_t> clear) {
  ERR_clear_error();
  std::size_t written = 0;
  const int result = SSL_write_ex(ssl_.get(), clear.data(), clear.size(), &written);
  if (result == 1) {
    ending_.data_made();  // what waits is more than tickets
    return true;
  }
  // A message of the peer's came in part (RFC 8446 5.1), and OpenSSL goes on with it first: the next read does.
  if (SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ) return false;
  fail(failure_after(result, "Writing failed"));
  return false;
}

std::size_t Connection::write_now(std::span<const std::uint8_t> clear) {
  if (dead() || send_failure() || suspended() || !established() || !operations_.empty() || renegotiation_.scheduled() ||
      renegotiating() || close_notify_sent() || (dtls_ && clear.size() > longest_message())) {
    return 0;
  }
  std::size_t taken = 0;
  while (taken < clear.size() && out_below_mark()) {
    const std::size_t count = std::min(kWriteBatch, clear.size() - taken);
    const std::size_t written = write_clear(clear.subspan(taken, count));
    taken += written;
    if (written < count) break;
  }
  return taken;
}

// A KeyUpdate that the application scheduled or the peer is owed; as long as one is pending, OpenSSL counts as "in
// init" and refuses the next one, a shutdown, and loses a certificate request.
bool Connection::flush_scheduled() {
  FailurePtr failure = perform_key_update();
  if (!failure) return true;
  fail(std::move(failure));
  return false;
}

FailurePtr Connection::perform_key_update() {
  if (!tls13()) return nullptr;
  const int type = SSL_get_key_update_type(ssl_.get());
  if (type == SSL_KEY_UPDATE_NONE) return nullptr;
  ERR_clear_error();
  // What the peer is owed is noted, but not scheduled: SSL_do_handshake would do nothing.
  if (SSL_in_init(ssl_.get()) == 0 && SSL_key_update(ssl_.get(), type) != 1) {
    return openssl::openssl_failure("The peer's key update could not be answered");
  }
  const int result = SSL_do_handshake(ssl_.get());
  return result == 1 ? nullptr : failure_after(result, "A key update failed");
}

Connection::Step Connection::run_key_update(Operation& operation) {
  if (FailurePtr refused = tls13() ? kept_by_kernel("A key update") : nullptr)
    return fail_operation(std::move(refused));
  if (!flush_scheduled()) return Step::progress;
  ERR_clear_error();
  if (!key_updates_.serves(operation.flag) &&
      SSL_key_update(ssl_.get(), update_type(operation.flag, key_updates_)) != 1)
    return fail_operation(openssl::openssl_failure("The key update was refused"));
  if (operation.flag && !peer_closed()) operations_.wait({operation.id, PeerWait::Kind::key_update, false});
  operation.stage = Stage::sending;
  flush_scheduled();
  return Step::progress;
}

FailurePtr Connection::schedule_key_update(int type) {
  if (dead()) return failure();
  if (send_failure()) return send_failure();
  if (suspended()) return suspended_failure();
  if (!established()) return misuse(SSL_R_STILL_IN_INIT, before_handshake(Kind::key_update));
  if (close_notify_sent()) return misuse(SSL_R_PROTOCOL_IS_SHUTDOWN, "No key update after shutdown()");
  if (!operations_.empty()) {
    return misuse(SSL_R_BAD_WRITE_RETRY,
                  "A key update cannot be scheduled while writing is not complete: await the write, or use "
                  "keyUpdate(), which queues");
  }
  const bool valid = type == SSL_KEY_UPDATE_NOT_REQUESTED || type == SSL_KEY_UPDATE_REQUESTED;
  if (FailurePtr refused = valid && tls13() ? kept_by_kernel("A key update") : nullptr) return refused;
  if (valid && !flush_scheduled()) return failure();
  ERR_clear_error();
  const bool request = type == SSL_KEY_UPDATE_REQUESTED;
  if (SSL_key_update(ssl_.get(), valid ? update_type(request, key_updates_) : type) == 1) return nullptr;
  return openssl::openssl_failure("The key update was refused");
}

FailurePtr Connection::schedule_renegotiate(bool abbreviated) {
  if (dead()) return failure();
  if (send_failure()) return send_failure();
  if (suspended()) return suspended_failure();
  if (!established()) return misuse(SSL_R_STILL_IN_INIT, before_handshake(Kind::renegotiate));
  if (close_notify_sent()) return misuse(SSL_R_PROTOCOL_IS_SHUTDOWN, "No renegotiation after shutdown()");
  if (renegotiating()) return misuse(SSL_R_STILL_IN_INIT, "A renegotiation is under way already");
  if (FailurePtr refused = tls13() ? nullptr : kept_by_kernel("A renegotiation")) return refused;
  ERR_clear_error();
  const int result = abbreviated ? SSL_renegotiate_abbreviated(ssl_.get()) : SSL_renegotiate(ssl_.get());
  if (result != 1) return openssl::openssl_failure("The renegotiation was refused");
  renegotiation_.schedule();
  return nullptr;
}

Connection::Step Connection::run_renegotiate(Operation& operation) {
  if (operation.stage == Stage::queued) {
    // The peer's own renegotiation comes first; ours follows it.
    if (renegotiating()) return Step::blocked;
    if (peer_closed()) return fail_operation(peer_has_closed());
    if (!renegotiation_.scheduled()) {
      if (FailurePtr refused = schedule_renegotiate(operation.flag)) return fail_operation(std::move(refused));
    }
    begin_renegotiation();
    operation.stage = Stage::running;
    return Step::progress;
  }
  if (renegotiation_.driven()) return Step::blocked;
  if (!server_) return done();
  wait_for_peer({operation.id, PeerWait::Kind::renegotiation, false});
  operation.stage = Stage::sending;
  return Step::progress;
}

Connection::Step Connection::run_client_certificate(Operation& operation) {
  if (!server_) return fail_operation(misuse(SSL_R_NOT_SERVER, "Only a server can ask for the peer's certificate"));
  return tls13() ? request_certificate_13(operation) : request_certificate_12(operation);
}

Connection::Step Connection::request_certificate_13(Operation& operation) {
  if (demand_.request_out()) return share_certificate_request(operation);
  if (!flush_scheduled()) return Step::progress;
  demand_certificate(operation.flag);
  ERR_clear_error();
  if (SSL_verify_client_post_handshake(ssl_.get()) != 1) {
    FailurePtr refused = openssl::openssl_failure("The client cannot be asked for a certificate");
    reconsider_demand();
    return fail_operation(std::move(refused));
  }
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) {
    fail(failure_after(result, "Asking for the client's certificate failed"));
    return Step::progress;
  }
  wait_for_peer({operation.id, PeerWait::Kind::client_certificate, operation.flag});
  operation.stage = Stage::sending;
  return Step::progress;
}

// OpenSSL has one request out at a time. Its answer serves for all who wait by then, as that to a HelloRequest does.
Connection::Step Connection::share_certificate_request(const Operation& operation) {
  if (!peer_closed()) demand_certificate(operation.flag);
  wait_for_peer({operation.id, PeerWait::Kind::client_certificate, operation.flag});
  operations_.leave();
  return Step::progress;
}

Connection::Step Connection::request_certificate_12(Operation& operation) {
  if (operation.stage == Stage::running) {
    if (renegotiation_.driven()) return Step::blocked;
    wait_for_peer({operation.id, PeerWait::Kind::client_certificate, operation.flag});
    operation.stage = Stage::sending;
    return Step::progress;
  }
  if (renegotiating()) return Step::blocked;
  if (peer_closed()) return fail_operation(peer_has_closed());
  demand_certificate(operation.flag);
  // A resumed handshake has no CertificateRequest and would report success without a certificate.
  if (FailurePtr failure = openssl::resume_nothing(ssl_.get())) {
    reconsider_demand();
    return fail_operation(std::move(failure));
  }
  if (!renegotiation_.scheduled()) {
    if (FailurePtr refused = schedule_renegotiate(false)) {
      reconsider_demand();
      return fail_operation(std::move(refused));
    }
  }
  begin_renegotiation();
  operation.stage = Stage::running;
  return Step::progress;
}

Connection::Step Connection::run_shutdown(Operation& operation) {
  if (renegotiation_.scheduled()) begin_renegotiation();
  if (renegotiating()) return Step::blocked;
  operation.stage = Stage::sending;
  // A second SSL_shutdown with data in flight is fatal: the peer's close_notify is waited for by SSL_read.
  if (close_notify_sent()) return Step::progress;
  if (!flush_scheduled()) return Step::progress;
  ERR_clear_error();
  const std::size_t before = enc_.out.size();
  const int result = SSL_shutdown(ssl_.get());
  ending_.close_notify_made(enc_.out.size() - before);
  // OpenSSL answers a KeyUpdate inside SSL_read even then, when another message of the handshake follows it. A peer
  // that has closed does not read that, and its system would reset the connection, with what we have not read yet.
  if (result >= 0 && tls13()) enc_.muted = true;
  if (result < 0) fail(failure_after(result, "The shutdown failed"));
  heed_shutdown_state();
  return Step::progress;
}

FailurePtr Connection::set_shutdown(int state) {
  if (dead()) return failure();
  if (suspended()) return suspended_failure();
  if (!established() || renegotiating()) {
    return misuse(SSL_R_SHUTDOWN_WHILE_IN_INIT, "The shutdown state cannot be set during a handshake or before it");
  }
  if (!operations_.empty()) {
    return misuse(SSL_R_BAD_WRITE_RETRY,
                  "The shutdown state cannot be set while writing is not complete: await what was called before");
  }
  SSL_set_shutdown(ssl_.get(), SSL_get_shutdown(ssl_.get()) | state);
  heed_shutdown_state();
  return nullptr;
}

// A quiet shutdown, or the application, may have set what otherwise only the peer's close_notify does: SSL_read will
// find nothing any more.
void Connection::heed_shutdown_state() {
  if (!peer_closed() && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0) note_peer_closed();
}

void Connection::wait_for_peer(PeerWait wait) {
  if (peer_closed()) {
    events_.operation_failed(wait.id, peer_has_closed());
  } else {
    operations_.wait(wait);
  }
}

void Connection::note_peer_closed() {
  phase_ = Phase::peer_closed;
  operations_.peer_closed(peer_has_closed());
  // In the middle of a renegotiation, which will not end, nothing can be written.
  if (renegotiating()) end_sending(peer_has_closed());
}

Cancelled Connection::cancel(OperationId id) {
  if (reader_.withdraw(id)) return Cancelled::withdrawn;
  // What it waits for has begun, and nobody can take it back.
  if (suspended() && operations_.waits_for_peer(id)) return Cancelled::under_way;
  const bool waited = operations_.stop_waiting(id);
  if (waited) reconsider_demand();
  const Cancelled cancelled = operations_.withdraw(id, !established());
  return waited && cancelled == Cancelled::unknown ? Cancelled::withdrawn : cancelled;
}

}  // namespace system_tls::engine
