#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"

namespace system_tls::engine {

using openssl::FailurePtr;

namespace {

constexpr const char* kRefused = "The key update was refused";

int type_of(bool request, const KeyUpdates& updates) {
  return request && updates.may_request() ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
}

}  // namespace

Step run(Connection& connection, Operation& operation, const Operation::KeyUpdate& update) {
  if (connection.tls13()) {
    if (FailurePtr refused = connection.kept_by_kernel("A key update")) return fail(connection, std::move(refused));
  }
  if (!flush_key_update(connection)) return Step::progress;
  const KeyUpdates& updates = connection.key_updates();
  const bool request = update.request_peer;
  ERR_clear_error();
  if (!updates.serves(request) && SSL_key_update(connection.ssl(), type_of(request, updates)) != 1) {
    return fail(connection, openssl::openssl_failure(kRefused));
  }
  if (request && !connection.peer_closed()) {
    connection.queue().wait({operation.id, PeerWait::Kind::key_update, false});
  }
  operation.stage = Operation::Stage::sending;
  flush_key_update(connection);
  return Step::progress;
}

// Ours is on its way, whatever becomes of the peer's.
Step key_update_sent(Connection& connection, OperationId id, bool requested) {
  connection.queue().done();
  if (requested && connection.peer_closed()) connection.events().operation_failed(id, peer_has_closed());
  return Step::progress;
}

bool flush_key_update(Connection& connection) {
  FailurePtr failure = perform_key_update(connection);
  if (!failure) return true;
  connection.fail(std::move(failure));
  return false;
}

FailurePtr perform_key_update(Connection& connection) {
  if (!connection.tls13()) return nullptr;
  SSL* ssl = connection.ssl();
  const int type = SSL_get_key_update_type(ssl);
  if (type == SSL_KEY_UPDATE_NONE) return nullptr;
  ERR_clear_error();
  // What the peer is owed is noted, but not scheduled: SSL_do_handshake would do nothing.
  if (SSL_in_init(ssl) == 0 && SSL_key_update(ssl, type) != 1) {
    return openssl::openssl_failure("The peer's key update could not be answered");
  }
  const int result = SSL_do_handshake(ssl);
  return result == 1 ? nullptr : connection.failure_after(result, "A key update failed");
}

FailurePtr Connection::schedule_key_update(int type) {
  if (FailurePtr refused = not_schedulable(kKeyUpdateTooEarly, "No key update after shutdown()")) return refused;
  if (!queue_.empty()) {
    return misuse(SSL_R_BAD_WRITE_RETRY,
                  "A key update cannot be scheduled while writing is not complete: await the write, or use "
                  "keyUpdate(), which queues");
  }
  const bool request = type == SSL_KEY_UPDATE_REQUESTED;
  const bool valid = request || type == SSL_KEY_UPDATE_NOT_REQUESTED;
  if (FailurePtr refused = valid && tls13() ? kept_by_kernel("A key update") : nullptr) return refused;
  if (valid && !flush_key_update(*this)) return failure();
  ERR_clear_error();
  if (SSL_key_update(ssl_.get(), valid ? type_of(request, key_updates_) : type) == 1) return nullptr;
  return openssl::openssl_failure(kRefused);
}

}  // namespace system_tls::engine
