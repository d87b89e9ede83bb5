// How the connections of a context find their way back to a session: id context, cache, tickets.
#pragma once

#include <openssl/ssl.h>

#include "openssl/context/context_options.h"
#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

// Null, or what is wrong.
FailurePtr apply_resumption(SSL_CTX* context, const ContextOptions& options);

// A server's connection whose sessions are not its context's: SSL_set_session_id_context(3), which counts for a
// session that is stored or sent from now on even if it was begun before. False: out of memory, or too long.
bool use_id_context(SSL* ssl, ByteView id_context);
bool has_id_context(const SSL* ssl);

// The renegotiations of a server's connection are full from now on, and its sessions are nobody else's: they get an id
// context that no other has.
FailurePtr resume_nothing(SSL* ssl);
bool resumes_nothing(const SSL* ssl);

// A client's session of up to TLS 1.2 is not offered in a renegotiation.
void withhold_session(SSL* ssl);

// A client's session of up to TLS 1.2 is not offered if its cipher is not: to be called when either has changed.
void withhold_session_of_other_ciphers(SSL* ssl);

// Whether it is a ticket that this server's keys have made.
bool is_own_ticket(const SSL* ssl, ByteView identity);

}  // namespace system_tls::openssl
