// Certificates, keys, CRLs and PKCS #12 bundles out of bytes. Every failure names the input that it is about.
#pragma once

#include <string>
#include <vector>

#include "openssl/context/context_options.h"
#include "openssl/context/passphrase.h"
#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::openssl {

// Either `value`, or `failure`.
template <typename T>
struct Outcome {
  T value{};
  FailurePtr failure;
};

struct Pkcs12Contents {
  X509Ptr certificate;
  PkeyPtr key;
  std::vector<X509Ptr> others;
};

// PEM: all certificates in it, in its order. DER: one.
Outcome<std::vector<X509Ptr>> read_certificates(const NamedInput& input);

// PEM or DER: PKCS #8, encrypted or not, and the traditional forms. ERR_TLS_PASSPHRASE_REQUIRED if one is missing.
Outcome<PkeyPtr> read_private_key(const SealedInput& input);

// Why a key could not be read.
FailurePtr key_failure(const PassphraseRequest& request, const std::string& name);
// The same out of what was drained: a wrong passphrase comes first, and is suspected where nothing else is said.
FailurePtr undecrypted(const PassphraseRequest& request, std::string message, ErrorList errors);

Outcome<Pkcs12Contents> read_pkcs12(const SealedInput& input);

Outcome<std::vector<X509CrlPtr>> read_crls(const NamedInput& input);

// PEM. Parameters of Diffie-Hellman.
Outcome<PkeyPtr> read_dh_parameters(ByteView input, const std::string& name);

}  // namespace system_tls::openssl
