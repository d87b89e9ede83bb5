// Passphrases for OpenSSL's readers of PEM and of encrypted keys.
#pragma once

#include <optional>

#include "openssl/library/bytes.h"

namespace system_tls::openssl {

// Passed to every reader, together with passphrase_callback: a reader without a callback would ask on the terminal.
struct PassphraseRequest {
  const std::optional<SecretBytes>* passphrase = nullptr;  // null: there is none to give
  bool missing = false;                                    // set when one was asked for and there is none
  bool given = false;                                      // set when one was asked for and handed over
  bool too_long = false;                                   // set when OpenSSL has no room for the one there is

  // Of a reader that failed. A key may be locked with an empty text, but one that it does not open is none.
  bool unanswered() const { return missing || (given && (*passphrase)->empty()); }
};

// pem_password_cb(3); `request` is a PassphraseRequest.
int passphrase_callback(char* buffer, int size, int writing, void* request);

}  // namespace system_tls::openssl
