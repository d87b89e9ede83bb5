// Providers and engines are loaded by libcrypto itself, by a plain dlopen: their references would bind to the OpenSSL
// that node exports. A module that is already open keeps its bindings, so each is opened here first, isolated.
#pragma once

#include <string>
#include <vector>

#include "openssl/library/refusal.h"

namespace system_tls::openssl {

// The files of all provider and engine modules that this configuration file may make OpenSSL load, in its order.
std::vector<std::string> configured_modules(const std::string& config_file);

// The configuration file that OpenSSL reads by itself; empty if there is to be none.
std::string default_config_file();

// Opens what the default configuration names. To be called before OpenSSL reads it.
MaybeRefusal isolate_configured_modules();

// OSSL_PROVIDER_try_load(3) in the default library context, for the rest of the process. Unlike OSSL_PROVIDER_load(3)
// it does not take the default provider away.
MaybeRefusal load_provider(const std::string& name);

// OSSL_PROVIDER_do_all(3), by their names: those that are active in the default library context.
std::vector<std::string> active_providers();

bool provider_available(const std::string& name);

}  // namespace system_tls::openssl
