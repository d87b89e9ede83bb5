// Algorithms that no provider that is loaded has: crypto(7), "ALGORITHM FETCHING".
#pragma once

#include <string>

#include "openssl/library/errors.h"

namespace system_tls::openssl {

// What OpenSSL looked for in vain, by its name; empty if `errors` tell of nothing of the kind.
std::string missing_algorithm(const ErrorList& errors);

// Puts an entry before the others that says what is missing and, where that helps, which provider has it: those who
// fetch name the algorithm alone, and readers of keys report it as one of many reasons.
void explain_missing(const std::string& algorithm, ErrorList& errors);

}  // namespace system_tls::openssl
