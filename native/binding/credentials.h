// NativeCredentials of types/binding.d.ts.
#pragma once

#include <vector>

#include "binding/core/options_reader.h"
#include "openssl/context/context_options.h"

namespace system_tls::binding {

void read_named(OptionsReader& reader, const char* property, std::vector<openssl::NamedInput>& out);
void read_credentials(OptionsReader& reader, openssl::Credentials& out);

// The function lockedInputs().
bool define_credentials(napi_env env, napi_value exports);

}  // namespace system_tls::binding
