// Bytes of the application's own in the sessions of a server: SSL_SESSION_set1_ticket_appdata(3). Nobody else reads
// them, since a ticket is encrypted with the server's keys.
#pragma once

#include <openssl/ssl.h>

#include <optional>

#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// Of a server's connection, for sessions that are stored or sent from now on; nothing: those have none. False: out of
// memory.
bool set_ticket_app_data(SSL* ssl, std::optional<Bytes> data);

// What was set above goes into `session`. One that stands for a pre-shared key stays as it is.
void label_with_app_data(const SSL* ssl, SSL_SESSION* session);

// Nothing: it has none.
std::optional<ByteView> ticket_app_data(const SSL_SESSION* session);

}  // namespace system_tls::openssl
