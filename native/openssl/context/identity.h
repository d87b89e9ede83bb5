// Who a context or a connection is: its certificates, their chains and their keys.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <vector>

#include "openssl/context/context_options.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::openssl {

// Null, or what is wrong with them.
FailurePtr use_credentials(SSL_CTX* context, const Credentials& credentials);

// For one connection, which has its context's until then (SSL_new(3)). `replace`: its context's certificates and keys
// are put away first, as far as there are own ones; otherwise only those of the same type of key.
FailurePtr use_credentials(SSL* ssl, const Credentials& credentials, bool replace);

// The same, read and held against each other beforehand: to be used in the middle of a handshake, on any thread.
struct Identity {
  struct Entry {
    X509Ptr leaf;
    X509StackPtr chain;  // without the leaf
    PkeyPtr key;
  };
  std::vector<Entry> entries;
};

struct IdentityResult {
  std::shared_ptr<const Identity> identity;
  FailurePtr failure;  // set if and only if there is no identity
};

// Each certificate needs its key. What goes along with a leaf is what is given behind it.
IdentityResult read_identity(const Credentials& credentials);

// In place of all that the connection has. Null, or what OpenSSL refuses: its security level, say.
FailurePtr use_identity(SSL* ssl, const Identity& identity);

// SSL_check_private_key(3).
FailurePtr check_private_key(const SSL* ssl);

// The names of those keys and bundles that ask for a passphrase that they do not have.
std::vector<std::string> locked_inputs(const Credentials& credentials);

}  // namespace system_tls::openssl
