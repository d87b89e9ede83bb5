// What has to hold before any part of the addon may be used.
#pragma once

#include <napi.h>

#include "openssl/library/refusal.h"

namespace system_tls::binding {

// Starts OpenSSL and compares libuv's structures. On failure a JavaScript exception is pending and false is returned.
bool start_or_throw(Napi::Env env);

// An Error with code, cause, culprit and cure.
Napi::Error refusal_error(Napi::Env env, const openssl::Refusal& refusal);

}  // namespace system_tls::binding
