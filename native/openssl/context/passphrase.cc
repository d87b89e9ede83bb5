#include "openssl/context/passphrase.h"

#include <cstring>

namespace system_tls::openssl {

int passphrase_callback(char* buffer, int size, int, void* argument) {
  constexpr int kRefused = -1;
  auto* request = static_cast<PassphraseRequest*>(argument);
  if (request->passphrase == nullptr || !request->passphrase->has_value()) {
    request->missing = true;
    return kRefused;
  }
  const SecretBytes& passphrase = **request->passphrase;
  if (passphrase.size() > static_cast<std::size_t>(size)) {
    request->too_long = true;
    return kRefused;
  }
  request->given = true;
  if (!passphrase.empty()) std::memcpy(buffer, passphrase.data(), passphrase.size());
  return static_cast<int>(passphrase.size());
}

}  // namespace system_tls::openssl
