#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

Step run(Connection& connection, Operation& operation, const Operation::Shutdown&) {
  connection.begin_scheduled_renegotiation();
  if (connection.renegotiating()) return Step::blocked;
  operation.stage = Operation::Stage::sending;
  // A second SSL_shutdown with data in flight is fatal: the peer's close_notify is waited for by SSL_read.
  if (connection.close_notify_sent()) return Step::progress;
  if (!flush_key_update(connection)) return Step::progress;
  ERR_clear_error();
  EncSide& enc = connection.enc();
  const std::size_t before = enc.out.size();
  const int result = SSL_shutdown(connection.ssl());
  connection.ending().close_notify_made(enc.out.size() - before);
  // OpenSSL answers a KeyUpdate inside SSL_read even then, when another message of the handshake follows it. A peer
  // that has closed does not read that, and its system would reset the connection, with what we have not read yet.
  if (result >= 0 && connection.tls13()) enc.muted = true;
  if (result < 0) connection.fail(connection.failure_after(result, "The shutdown failed"));
  connection.heed_shutdown_state();
  return Step::progress;
}

Step goodbye_sent(Connection& connection, const Operation& operation, const Operation::Shutdown& shutdown) {
  if (!connection.enc().out.empty()) return Step::blocked;
  if (!shutdown.wait || connection.peer_closed()) return done(connection);
  connection.queue().wait({operation.id, PeerWait::Kind::close_notify, false});
  connection.queue().leave();
  return Step::progress;
}

openssl::FailurePtr Connection::set_shutdown(int state) {
  if (dead()) return failure();
  if (suspended()) return suspended_failure();
  if (!established() || renegotiating()) {
    return misuse(SSL_R_SHUTDOWN_WHILE_IN_INIT, "The shutdown state cannot be set during a handshake or before it");
  }
  if (!queue_.empty()) {
    return misuse(SSL_R_BAD_WRITE_RETRY,
                  "The shutdown state cannot be set while writing is not complete: await what was called before");
  }
  SSL_set_shutdown(ssl_.get(), SSL_get_shutdown(ssl_.get()) | state);
  heed_shutdown_state();
  return nullptr;
}

}  // namespace system_tls::engine
