#pragma once

// Every other file reaches OpenSSL's headers after this one has shown that they are the system's. Node ships
// headers of its own copy under the same names; compiled against those, the addon would believe in structures and
// functions that the system's library does not have.

#include <openssl/opensslv.h>

#ifndef SYSTEM_TLS_OPENSSL_MAJOR
#error "The build did not say which OpenSSL it found: build with npm, binding.gyp or CMakeLists.txt."
#endif

static_assert(
    OPENSSL_VERSION_MAJOR == SYSTEM_TLS_OPENSSL_MAJOR && OPENSSL_VERSION_MINOR == SYSTEM_TLS_OPENSSL_MINOR &&
        OPENSSL_VERSION_PATCH == SYSTEM_TLS_OPENSSL_PATCH,
    "these OpenSSL headers are not those that scripts/find-openssl.mjs chose: another copy (node's own?) comes "
    "first on the include path");
static_assert(OPENSSL_VERSION_MAJOR >= 3, "OpenSSL 3.0 or newer is required");
