// The `openssl` object of lib/library/openssl.ts, seen from below.
#pragma once

#include <napi.h>

namespace system_tls::binding {

void define_openssl_info(Napi::Env env, Napi::Object exports);

}  // namespace system_tls::binding
