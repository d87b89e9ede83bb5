#include "engine/operations/run.h"

#include <openssl/sslerr.h>

#include <utility>

#include "engine/connection.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using Stage = Operation::Stage;

namespace {

const char* before_handshake(const Operation& operation) {
  if (operation.is<Operation::KeyUpdate>()) return kKeyUpdateTooEarly;
  if (operation.is<Operation::Renegotiate>()) return kRenegotiationTooEarly;
  if (operation.is<Operation::ClientCertificate>()) {
    return "Asking for a client certificate needs a completed handshake: await accept() first";
  }
  if (operation.is<Operation::Shutdown>()) {
    return "shutdown() needs a completed handshake: there is nothing to close yet; use close()";
  }
  return "This needs a completed handshake: await connect(), accept() or handshake() first";
}

Step run_too_early(Connection& connection, const Operation& operation) {
  const bool shutdown = operation.is<Operation::Shutdown>();
  return fail(connection,
              misuse(shutdown ? SSL_R_SHUTDOWN_WHILE_IN_INIT : SSL_R_STILL_IN_INIT, before_handshake(operation)));
}

Step run_unsendable(Connection& connection, const Operation& operation) {
  const auto* shutdown = std::get_if<Operation::Shutdown>(&operation.what);
  if (shutdown == nullptr || connection.ending().output_lost()) return fail(connection, connection.send_failure());
  return goodbye_sent(connection, operation, *shutdown);
}

// The queue is held until what the operation made is written: the manual's rule that writing must be complete before a
// key update.
Step run_sending(Connection& connection, const Operation& operation) {
  if (const auto* shutdown = std::get_if<Operation::Shutdown>(&operation.what)) {
    return goodbye_sent(connection, operation, *shutdown);
  }
  if (!connection.out_below_mark()) return Step::blocked;
  if (const auto* update = std::get_if<Operation::KeyUpdate>(&operation.what)) {
    return key_update_sent(connection, operation.id, update->request_peer);
  }
  // It ends when the peer has answered; otherwise with the last byte.
  if (!connection.queue().waits_for_peer(operation.id)) return done(connection);
  connection.queue().leave();
  return Step::progress;
}

}  // namespace

FailurePtr peer_has_closed() {
  return openssl::named_failure(
      "ERR_TLS_PEER_CLOSED",
      "The peer has closed its side of the connection (close_notify) and will not answer any more");
}

Step done(Connection& connection, std::int64_t result) {
  connection.queue().done(result);
  return Step::progress;
}

Step fail(Connection& connection, FailurePtr failure) {
  connection.queue().fail(std::move(failure));
  return Step::progress;
}

void wait_for_peer(Connection& connection, PeerWait wait) {
  if (connection.peer_closed()) {
    connection.events().operation_failed(wait.id, peer_has_closed());
  } else {
    connection.queue().wait(wait);
  }
}

Step run_first(Connection& connection) {
  Operation* first = connection.queue().first();
  if (first == nullptr) return Step::blocked;
  if (!connection.established()) return run_too_early(connection, *first);
  if (connection.send_failure()) return run_unsendable(connection, *first);
  if (first->stage == Stage::sending) return run_sending(connection, *first);
  const bool needs_sending = !first->is<Operation::Shutdown>() && !first->is<Operation::Handshake>();
  if (needs_sending && first->stage == Stage::queued && connection.close_notify_sent()) {
    return fail(connection, misuse(SSL_R_PROTOCOL_IS_SHUTDOWN,
                                   "shutdown() was called on this connection: nothing can be sent any more"));
  }
  return std::visit([&](auto& what) { return run(connection, *first, what); }, first->what);
}

// SSL_do_handshake on an established connection: performs at once what was scheduled.
Step run(Connection& connection, Operation& operation, const Operation::Handshake&) {
  if (operation.stage == Stage::running) {
    return connection.renegotiation().driven() ? Step::blocked : done(connection);
  }
  if (connection.begin_scheduled_renegotiation()) {
    operation.stage = Stage::running;
    return Step::progress;
  }
  return flush_key_update(connection) ? done(connection) : Step::progress;
}

}  // namespace system_tls::engine
