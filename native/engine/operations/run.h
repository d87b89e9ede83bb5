// What the operations of a connection do, a file for each kind. The first in the queue is run again and again until it
// has left it, on a connection that is neither dead nor suspended.
#pragma once

#include "engine/operations/operation.h"

namespace system_tls::engine {

class Connection;

Step run_first(Connection& connection);

Step run(Connection& connection, Operation& operation, const Operation::Handshake& handshake);
Step run(Connection& connection, Operation& operation, Operation::Write& write);
Step run(Connection& connection, Operation& operation, Operation::SendFile& file);
Step run(Connection& connection, Operation& operation, const Operation::KeyUpdate& update);
Step run(Connection& connection, Operation& operation, const Operation::Renegotiate& renegotiate);
Step run(Connection& connection, Operation& operation, const Operation::ClientCertificate& request);
Step run(Connection& connection, Operation& operation, const Operation::Shutdown& shutdown);

inline constexpr const char* kKeyUpdateTooEarly =
    "A key update needs a completed handshake: await connect(), accept() or handshake() first";
inline constexpr const char* kRenegotiationTooEarly =
    "A renegotiation needs a completed handshake: await connect(), accept() or handshake() first";

// Of the first in the queue: how it ends.
Step done(Connection& connection, std::int64_t result = 0);
Step fail(Connection& connection, openssl::FailurePtr failure);
void wait_for_peer(Connection& connection, PeerWait wait);
openssl::FailurePtr peer_has_closed();

// key_update.cc. A KeyUpdate that the application scheduled or the peer is owed; as long as one is pending, OpenSSL
// counts as "in init" and refuses the next one, a shutdown, and loses a certificate request. False: the connection is
// dead.
bool flush_key_update(Connection& connection);
openssl::FailurePtr perform_key_update(Connection& connection);
Step key_update_sent(Connection& connection, OperationId id, bool requested);

// renegotiate.cc. After each SSL_read: whom a handshake behind the first one has served.
void note_later_handshakes(Connection& connection);

// client_certificate.cc
void serve_handshake_waits(Connection& connection, bool resumed);
void reconsider_demand(Connection& connection);

// shutdown.cc. Ours has gone out, or nothing can.
Step goodbye_sent(Connection& connection, const Operation& operation, const Operation::Shutdown& shutdown);

}  // namespace system_tls::engine
