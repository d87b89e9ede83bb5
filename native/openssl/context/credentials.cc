#include "openssl/context/credentials.h"

#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/proverr.h>
#include <openssl/storeerr.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <string_view>
#include <utility>

#include "openssl/context/passphrase.h"
#include "openssl/library/encoding.h"
#include "openssl/library/missing_algorithm.h"

namespace system_tls::openssl {

namespace {

constexpr std::string_view kBegin = "-----BEGIN ";

std::string_view text_of(ByteView input) { return {reinterpret_cast<const char*>(input.data()), input.size()}; }

// Any PEM, whatever precedes its first line; no DER that OpenSSL reads contains this.
bool is_pem(ByteView input) { return text_of(input).find(kBegin) != std::string_view::npos; }

// What its first line calls it, "RSA PRIVATE KEY"; empty if that is no label of RFC 7468.
std::string pem_label(ByteView input) {
  static constexpr std::string_view kLabel = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789# ";
  std::string_view text = text_of(input);
  text.remove_prefix(std::min(text.size(), text.find(kBegin)));
  text.remove_prefix(std::min(text.size(), kBegin.size()));
  const std::string_view label = text.substr(0, text.find_first_not_of(kLabel));
  return text.substr(label.size(), 5) == "-----" ? std::string(label) : std::string();
}

BioPtr open_memory(ByteView input) {
  if (input.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return nullptr;
  return BioPtr(BIO_new_mem_buf(input.data(), static_cast<int>(input.size())));
}

FailurePtr unreadable(const std::string& name, const char* what) { return openssl_failure(name + " is not " + what); }

FailurePtr empty_input(const std::string& name, const char* what) {
  return named_failure("ERR_TLS_INVALID_INPUT", name + " is empty: expected " + what);
}

// PEM readers say so when nothing more of their kind follows.
bool at_end_of_pem() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

FailurePtr unreadable_pem(ByteView input, const std::string& name, const char* what) {
  const std::string label = at_end_of_pem() ? pem_label(input) : std::string();
  return label.empty() ? unreadable(name, what) : unreadable(name + ", which holds a " + label + ",", what);
}

// Everything of one kind in a PEM text, or the one object of a DER encoding.
template <typename Pointer, auto FromPem, auto FromDer>
Outcome<std::vector<Pointer>> read_all(ByteView input, const std::string& name, const char* what) {
  if (input.empty()) return {{}, empty_input(name, what)};
  const ErrorScope scope;
  const BioPtr bio = open_memory(input);
  if (bio == nullptr) return {{}, unreadable(name, what)};
  std::vector<Pointer> objects;
  if (!is_pem(input)) {
    objects.emplace_back(FromDer(bio.get(), nullptr));
    if (objects.front() == nullptr) return {{}, unreadable(name, what)};
    return {std::move(objects), nullptr};
  }
  PassphraseRequest nobody;
  while (Pointer object{FromPem(bio.get(), nullptr, passphrase_callback, &nobody)}) {
    objects.push_back(std::move(object));
  }
  if (objects.empty() || !at_end_of_pem()) return {{}, unreadable_pem(input, name, what)};
  return {std::move(objects), nullptr};
}

// Unlike PEM's readers, this one knows encrypted PKCS #8 in DER.
PkeyPtr decode_der_key(ByteView input, PassphraseRequest& request) {
  EVP_PKEY* decoded = nullptr;
  const DecoderPtr decoder(
      OSSL_DECODER_CTX_new_for_pkey(&decoded, "DER", nullptr, nullptr, EVP_PKEY_KEYPAIR, nullptr, nullptr));
  if (decoder == nullptr) return nullptr;
  OSSL_DECODER_CTX_set_pem_password_cb(decoder.get(), passphrase_callback, &request);
  const unsigned char* cursor = input.data();
  std::size_t left = input.size();
  const bool complete = OSSL_DECODER_from_data(decoder.get(), &cursor, &left) == 1;
  PkeyPtr key(decoded);
  return complete ? std::move(key) : nullptr;
}

bool mac_failed() {
  const unsigned long error = ERR_peek_last_error();
  return ERR_GET_LIB(error) == ERR_LIB_PKCS12 && ERR_GET_REASON(error) == PKCS12_R_MAC_VERIFY_FAILURE;
}

bool says_bad_decrypt(const ErrorEntry& entry) {
  struct Reason {
    int library;
    int reason;
  };
  static constexpr Reason kReasons[] = {{ERR_LIB_PROV, PROV_R_BAD_DECRYPT},
                                        {ERR_LIB_EVP, EVP_R_BAD_DECRYPT},
                                        {ERR_LIB_PEM, PEM_R_BAD_DECRYPT},
                                        {ERR_LIB_OSSL_STORE, OSSL_STORE_R_ERROR_VERIFYING_PKCS12_MAC}};
  return std::any_of(std::begin(kReasons), std::end(kReasons), [&entry](const Reason& each) {
    return each.library == entry.library && each.reason == entry.reason;
  });
}

std::vector<X509Ptr> release_all(X509StackPtr stack) {
  std::vector<X509Ptr> certificates;
  while (stack != nullptr && sk_X509_num(stack.get()) > 0) certificates.emplace_back(sk_X509_shift(stack.get()));
  return certificates;
}

// PKCS12_parse(3) wants a string that ends with zero.
SecretBytes terminated(const std::optional<SecretBytes>& passphrase) {
  SecretBytes text = passphrase.value_or(SecretBytes());
  text.push_back(0);
  return text;
}

FailurePtr pkcs12_failure(const SealedInput& input) {
  const std::string& name = input.name;
  if ((!input.passphrase || input.passphrase->empty()) && mac_failed()) {
    return failure_with_code("ERR_TLS_PASSPHRASE_REQUIRED", name + " is encrypted: give its passphrase");
  }
  const PassphraseRequest nobody;
  return undecrypted(nobody, name + " cannot be opened as PKCS #12", drain_errors());
}

}  // namespace

FailurePtr undecrypted(const PassphraseRequest& request, std::string message, ErrorList errors) {
  const std::string missing = missing_algorithm(errors);
  const auto refused = std::find_if(errors.begin(), errors.end(), says_bad_decrypt);
  if (!missing.empty()) {
    // Nothing was decrypted, so the passphrase is not to blame, whatever the readers make of it.
    explain_missing(missing, errors);
  } else if (refused != errors.end()) {
    // OSSL_STORE reports first that it could make nothing of the place.
    std::rotate(errors.begin(), refused, errors.end());
  } else if (request.given) {
    // One of 256 wrong passphrases gives a padding that looks right; what is complained of then is behind it.
    message += ", or the passphrase that was asked for is wrong";
  }
  auto failure = std::make_shared<Failure>();
  failure->message = std::move(message);
  failure->errors = std::move(errors);
  return failure;
}

FailurePtr key_failure(const PassphraseRequest& request, const std::string& name) {
  if (request.unanswered()) {
    return failure_with_code("ERR_TLS_PASSPHRASE_REQUIRED", name + " is encrypted: give its passphrase");
  }
  if (request.too_long) {
    return failure_with_code("ERR_TLS_PASSPHRASE_TOO_LONG", "the passphrase of " + name + " is longer than the " +
                                                                std::to_string(PEM_BUFSIZE) +
                                                                " bytes that OpenSSL takes");
  }
  return undecrypted(request, name + " cannot be read as a private key", drain_errors());
}

// The _AUX form reads BEGIN TRUSTED CERTIFICATE as well.
Outcome<std::vector<X509Ptr>> read_certificates(const NamedInput& input) {
  return read_all<X509Ptr, PEM_read_bio_X509_AUX, d2i_X509_bio>(input.data, input.name, "a certificate in PEM or DER");
}

Outcome<std::vector<X509CrlPtr>> read_crls(const NamedInput& input) {
  return read_all<X509CrlPtr, PEM_read_bio_X509_CRL, d2i_X509_CRL_bio>(input.data, input.name, "a CRL in PEM or DER");
}

Outcome<PkeyPtr> read_private_key(const SealedInput& input) {
  const std::string& name = input.name;
  if (input.data.empty()) return {nullptr, empty_input(name, "a private key in PEM or DER")};
  const ErrorScope scope;
  PassphraseRequest request{&input.passphrase};
  const BioPtr bio = open_memory(input.data);
  if (bio == nullptr) return {nullptr, key_failure(request, name)};
  PkeyPtr key = is_pem(input.data) ? PkeyPtr(PEM_read_bio_PrivateKey(bio.get(), nullptr, passphrase_callback, &request))
                                   : decode_der_key(input.data, request);
  if (key == nullptr) return {nullptr, key_failure(request, name)};
  return {std::move(key), nullptr};
}

Outcome<Pkcs12Contents> read_pkcs12(const SealedInput& input) {
  const std::string& name = input.name;
  if (input.data.empty()) return {{}, empty_input(name, "PKCS #12")};
  const ErrorScope scope;
  const BioPtr bio = open_memory(input.data);
  const Pkcs12Ptr bundle(bio == nullptr ? nullptr : d2i_PKCS12_bio(bio.get(), nullptr));
  if (bundle == nullptr) return {{}, unreadable(name, "PKCS #12")};

  const SecretBytes passphrase = terminated(input.passphrase);
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* others = nullptr;
  const int parsed =
      PKCS12_parse(bundle.get(), reinterpret_cast<const char*>(passphrase.data()), &key, &certificate, &others);
  Pkcs12Contents contents{X509Ptr(certificate), PkeyPtr(key), release_all(X509StackPtr(others))};
  if (parsed != 1) return {{}, pkcs12_failure(input)};
  if (contents.key == nullptr || contents.certificate == nullptr) {
    return {{}, named_failure("ERR_TLS_INVALID_INPUT", name + " holds no private key with its certificate")};
  }
  return {std::move(contents), nullptr};
}

Outcome<PkeyPtr> read_dh_parameters(ByteView input, const std::string& name) {
  const ErrorScope scope;
  const BioPtr bio = open_memory(input);
  PkeyPtr parameters(bio == nullptr ? nullptr : PEM_read_bio_Parameters(bio.get(), nullptr));
  if (parameters == nullptr) return {nullptr, unreadable(name, "Diffie-Hellman parameters in PEM")};
  if (EVP_PKEY_is_a(parameters.get(), "DH") != 1 && EVP_PKEY_is_a(parameters.get(), "DHX") != 1) {
    return {nullptr, named_failure("ERR_TLS_INVALID_INPUT", name + " holds parameters of another algorithm than "
                                                                   "Diffie-Hellman")};
  }
  return {std::move(parameters), nullptr};
}

}  // namespace system_tls::openssl
