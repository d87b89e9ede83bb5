#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using Stage = Operation::Stage;

Step run(Connection& connection, Operation& operation, const Operation::Renegotiate& renegotiate) {
  Renegotiation& renegotiation = connection.renegotiation();
  if (operation.stage == Stage::queued) {
    // The peer's own renegotiation comes first; ours follows it.
    if (connection.renegotiating()) return Step::blocked;
    if (connection.peer_closed()) return fail(connection, peer_has_closed());
    if (!renegotiation.scheduled()) {
      FailurePtr refused = connection.schedule_renegotiate(renegotiate.abbreviated);
      if (refused) return fail(connection, std::move(refused));
    }
    connection.begin_scheduled_renegotiation();
    operation.stage = Stage::running;
    return Step::progress;
  }
  if (renegotiation.driven()) return Step::blocked;
  if (!connection.server()) return done(connection);
  wait_for_peer(connection, {operation.id, PeerWait::Kind::renegotiation, false});
  operation.stage = Stage::sending;
  return Step::progress;
}

void note_later_handshakes(Connection& connection) {
  Renegotiation& renegotiation = connection.renegotiation();
  const bool tls13 = connection.tls13();
  const bool seen = tls13 ? connection.demand().request_answered() : renegotiation.seen_whole();
  SSL* ssl = connection.ssl();
  if (!seen || SSL_in_init(ssl) != 0) return;
  if (tls13) {
    serve_handshake_waits(connection, false);
  } else if (SSL_renegotiate_pending(ssl) == 0) {
    renegotiation.completed();
    connection.note_negotiated();
    const bool resumed = SSL_session_reused(ssl) != 0;
    connection.events().renegotiated(resumed, renegotiation.by_peer());
    serve_handshake_waits(connection, resumed);
  }
}

FailurePtr Connection::schedule_renegotiate(bool abbreviated) {
  if (FailurePtr refused = not_schedulable(kRenegotiationTooEarly, "No renegotiation after shutdown()")) return refused;
  if (renegotiating()) return misuse(SSL_R_STILL_IN_INIT, "A renegotiation is under way already");
  if (FailurePtr refused = tls13() ? nullptr : kept_by_kernel("A renegotiation")) return refused;
  ERR_clear_error();
  const int result = abbreviated ? SSL_renegotiate_abbreviated(ssl_.get()) : SSL_renegotiate(ssl_.get());
  if (result != 1) return openssl::openssl_failure("The renegotiation was refused");
  renegotiation_.schedule();
  return nullptr;
}

}  // namespace system_tls::engine
