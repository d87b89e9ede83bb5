#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <utility>

#include "engine/connection.h"
#include "engine/operations/run.h"
#include "openssl/session/resumption.h"

namespace system_tls::engine {

using openssl::FailurePtr;
using Request = Operation::ClientCertificate;
using Stage = Operation::Stage;

namespace {

PeerWait wait_for(const Operation& operation, const Request& request) {
  return {operation.id, PeerWait::Kind::client_certificate, request.required};
}

// A null callback leaves the one there is (SSL_set_verify(3)).
void set_verify_mode(Connection& connection, int mode) { SSL_set_verify(connection.ssl(), mode, nullptr); }

// By those who wait for a certificate, or are about to.
int wanted_mode(Connection& connection) {
  int mode = SSL_VERIFY_NONE;
  for (const PeerWait& wait : connection.queue().waits()) {
    if (wait.kind == PeerWait::Kind::client_certificate) mode |= CertificateDemand::mode_for(wait.required);
  }
  const Operation* first = connection.queue().first();
  const auto* request = first == nullptr ? nullptr : std::get_if<Request>(&first->what);
  if (request != nullptr && first->stage == Stage::running) mode |= CertificateDemand::mode_for(request->required);
  return mode;
}

void demand_certificate(Connection& connection, const Request& request) {
  const int wanted = wanted_mode(connection) | CertificateDemand::mode_for(request.required);
  set_verify_mode(connection, connection.demand().demand(SSL_get_verify_mode(connection.ssl()), wanted));
}

Step refuse(Connection& connection, FailurePtr failure) {
  reconsider_demand(connection);
  return fail(connection, std::move(failure));
}

// OpenSSL has one request out at a time. Its answer serves for all who wait by then, as that to a HelloRequest does.
Step share_request(Connection& connection, const Operation& operation, const Request& request) {
  if (!connection.peer_closed()) demand_certificate(connection, request);
  wait_for_peer(connection, wait_for(operation, request));
  connection.queue().leave();
  return Step::progress;
}

Step request_13(Connection& connection, Operation& operation, const Request& request) {
  if (connection.demand().request_out()) return share_request(connection, operation, request);
  if (!flush_key_update(connection)) return Step::progress;
  demand_certificate(connection, request);
  ERR_clear_error();
  if (SSL_verify_client_post_handshake(connection.ssl()) != 1) {
    return refuse(connection, openssl::openssl_failure("The client cannot be asked for a certificate"));
  }
  const int result = SSL_do_handshake(connection.ssl());
  if (result != 1) {
    connection.fail(connection.failure_after(result, "Asking for the client's certificate failed"));
    return Step::progress;
  }
  wait_for_peer(connection, wait_for(operation, request));
  operation.stage = Stage::sending;
  return Step::progress;
}

Step request_12(Connection& connection, Operation& operation, const Request& request) {
  if (operation.stage == Stage::running) {
    if (connection.renegotiation().driven()) return Step::blocked;
    wait_for_peer(connection, wait_for(operation, request));
    operation.stage = Stage::sending;
    return Step::progress;
  }
  if (connection.renegotiating()) return Step::blocked;
  if (connection.peer_closed()) return fail(connection, peer_has_closed());
  demand_certificate(connection, request);
  // A resumed handshake has no CertificateRequest and would report success without a certificate.
  FailurePtr refused = openssl::resume_nothing(connection.ssl());
  if (!refused && !connection.renegotiation().scheduled()) refused = connection.schedule_renegotiate(false);
  if (refused) return refuse(connection, std::move(refused));
  connection.begin_scheduled_renegotiation();
  operation.stage = Stage::running;
  return Step::progress;
}

// Success of the handshake is not success of the request: a resumed one carries no certificate and says "verified" all
// the same.
void settle(Connection& connection, const PeerWait& wait, bool resumed, bool present) {
  if (!resumed && (present || !wait.required)) {
    connection.events().operation_done(wait.id, present ? 1 : 0);
    return;
  }
  const char* message = resumed ? "The client resumed its session instead of authenticating"
                                : "The client sent no certificate, and one is required";
  connection.events().operation_failed(wait.id, openssl::named_failure("ERR_TLS_NO_PEER_CERTIFICATE", message));
}

}  // namespace

Step run(Connection& connection, Operation& operation, const Request& request) {
  if (!connection.server()) {
    return fail(connection, misuse(SSL_R_NOT_SERVER, "Only a server can ask for the peer's certificate"));
  }
  return connection.tls13() ? request_13(connection, operation, request) : request_12(connection, operation, request);
}

void serve_handshake_waits(Connection& connection, bool resumed) {
  const bool present = SSL_get0_peer_certificate(connection.ssl()) != nullptr;
  bool shown = false;
  connection.queue().end_waits([&](const PeerWait& wait) {
    if (wait.kind == PeerWait::Kind::renegotiation) {
      connection.events().operation_done(wait.id, resumed ? 1 : 0);
    } else if (wait.kind == PeerWait::Kind::client_certificate) {
      settle(connection, wait, resumed, present);
      shown = !resumed && present;
    } else {
      return false;
    }
    return true;
  });
  const int mode = SSL_get_verify_mode(connection.ssl());
  set_verify_mode(connection, connection.demand().conclude(mode, wanted_mode(connection), shown));
}

void reconsider_demand(Connection& connection) {
  const int mode = SSL_get_verify_mode(connection.ssl());
  set_verify_mode(connection, connection.demand().reconsider(mode, wanted_mode(connection)));
}

}  // namespace system_tls::engine
