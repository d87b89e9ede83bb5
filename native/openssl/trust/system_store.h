// The certificates that the system trusts: SSL_CTX_set_default_verify_paths(3), but read once for all contexts, since
// reading them takes as long as fifty handshakes and a megabyte.
#pragma once

#include "openssl/library/handles.h"

namespace system_tls::openssl {

// Shared by everybody: to be read from only. Read again when the file, or the environment variables that name it, have
// changed. Null: see the error queue.
X509StorePtr shared_system_store();

// What is in it, into a store that belongs to somebody. False: see the error queue.
bool add_system_store(X509_STORE* own);

}  // namespace system_tls::openssl
