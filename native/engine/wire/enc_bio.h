// The BIO through which OpenSSL reaches the enc side of a connection.
#pragma once

#include "engine/wire/enc_side.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

// `side` must outlive the BIO, and so the SSL that owns it.
openssl::BioPtr make_enc_bio(EncSide& side);

}  // namespace system_tls::engine
