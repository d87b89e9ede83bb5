// How a connection verifies its peer: the mode, and whether it goes on when verification fails.
#pragma once

#include <openssl/ssl.h>

#include <string_view>

#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// SSL_CTX_set_verify(3). `go_on`: the handshake continues whatever the verdict, which SSL_get_verify_result(3) tells.
void set_verification(SSL_CTX* context, int mode, bool go_on);

// The same for one connection, whatever its context says: SSL_set_verify(3) alone would keep the context's callback.
void set_verification(SSL* ssl, int mode, bool go_on);
bool goes_on_unverified(const SSL* ssl);

// On a server: sessions that are made or resumed from now on are those of connections which verify as this one will,
// since a resumed handshake verifies nothing. The depth of `ssl` counts too, so it is set before; `policy` is what else
// tells them apart, empty if it is the context's. Not during a handshake, whose peer may have been verified already.
// False: out of memory.
bool separate_sessions(SSL* ssl, int mode, bool go_on, ByteView policy);
// The same, for what separate_sessions() does from now on: sessions of another scope are kept apart.
bool scope_sessions(SSL* ssl, std::string_view scope);

// Under which policy a client's session was verified: a number that the owner gives. OpenSSL copies it with the
// session, into the tickets of TLS 1.3 too.
namespace session_policy {
constexpr int kUnknown = 0;
constexpr int kResumed = 1;  // given to the connection by SSL_set_session(3)
constexpr int kFirst = 2;    // what a connection has until it is told another
}  // namespace session_policy
void set_session_policy(SSL* ssl, int policy);
int session_policy_of(const SSL_SESSION* session);
void mark_session(SSL_SESSION* session, int policy);
// A new session with the number that the connection has now; a server's is left alone, others may be reading it.
void mark_session_of(const SSL* ssl, SSL_SESSION* session);

// Lets the connection layer decide for connections that want it.
void use_verify_hook(SSL_CTX* context);

}  // namespace system_tls::openssl
