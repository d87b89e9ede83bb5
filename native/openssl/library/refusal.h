// Why the addon will not run here, in a form that tells the operator what to do.
#pragma once

#include <optional>
#include <string>

namespace system_tls::openssl {

struct Refusal {
  std::string code;     // ERR_SYSTEM_TLS_...
  std::string cause;    // what was found
  std::string culprit;  // the file to blame; may be empty
  std::string cure;     // what to do about it
};

using MaybeRefusal = std::optional<Refusal>;

}  // namespace system_tls::openssl
