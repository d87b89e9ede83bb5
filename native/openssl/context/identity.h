// Who a context or a connection is: its certificates, their chains and their keys.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "openssl/context/context_options.h"
#include "openssl/library/failure.h"

namespace system_tls::openssl {

// Null, or what is wrong with them.
FailurePtr use_credentials(SSL_CTX* context, const Credentials& credentials);

// For one connection, which has its context's until then (SSL_new(3)). `replace`: its context's certificates and keys
// are put away first, as far as there are own ones; otherwise only those of the same type of key.
FailurePtr use_credentials(SSL* ssl, const Credentials& credentials, bool replace);

// SSL_check_private_key(3).
FailurePtr check_private_key(const SSL* ssl);

// The names of those keys and bundles that ask for a passphrase that they do not have.
std::vector<std::string> locked_inputs(const Credentials& credentials);

}  // namespace system_tls::openssl
