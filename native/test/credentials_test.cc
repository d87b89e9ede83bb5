// Certificates, keys and trust: every way in, with what is right, wrong and damaged, for the sanitizers to watch.
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include "openssl/context/context.h"
#include "openssl/context/identity.h"
#include "openssl/context/key_store.h"
#include "openssl/trust/hashed_names.h"
#include "test/check.h"
#include "test/temporary_file.h"

namespace system_tls::test {
namespace {

using openssl::Bytes;
using openssl::Credentials;
using openssl::SecretBytes;

constexpr const char* kPassphrase = "open sesame";

SecretBytes secret(const std::string& text) { return {text.begin(), text.end()}; }

Bytes content(BIO* bio) {
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, data + size};
}

// PEM of a certificate with its key, plain and locked.
struct Material {
  Bytes certificate;
  Bytes key;
  Bytes locked_key;
};

Material make_material() {
  const openssl::PkeyPtr key(EVP_EC_gen("P-256"));
  const openssl::X509Ptr certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(certificate.get()));
  X509_set_pubkey(certificate.get(), key.get());
  X509_sign(certificate.get(), key.get(), EVP_sha256());

  const openssl::BioPtr cert_bio(BIO_new(BIO_s_mem()));
  const openssl::BioPtr key_bio(BIO_new(BIO_s_mem()));
  const openssl::BioPtr locked_bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(cert_bio.get(), certificate.get());
  PEM_write_bio_PKCS8PrivateKey(key_bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_PKCS8PrivateKey(locked_bio.get(), key.get(), EVP_aes_256_cbc(), kPassphrase,
                                static_cast<int>(std::string(kPassphrase).size()), nullptr, nullptr);
  return {content(cert_bio.get()), content(key_bio.get()), content(locked_bio.get())};
}

const Material& material() {
  static const Material made = make_material();
  return made;
}

SecretBytes hidden(const Bytes& bytes) { return {bytes.begin(), bytes.end()}; }

Credentials complete() {
  Credentials credentials;
  credentials.cert.push_back({"cert[0]", material().certificate});
  credentials.key.push_back({"key[0]", hidden(material().locked_key), secret(kPassphrase)});
  return credentials;
}

std::shared_ptr<const openssl::Context> make_context(const Credentials& credentials) {
  openssl::ContextOptions options;
  options.credentials = credentials;
  return openssl::Context::create(options, {}).context;
}

bool a_context_takes_them() {
  CHECK(make_context(complete()) != nullptr);
  Credentials wrong = complete();
  wrong.key[0].passphrase = secret("wrong");
  CHECK(make_context(wrong) == nullptr);
  return true;
}

bool a_connection_has_its_own() {
  const auto context = make_context({});
  CHECK(context != nullptr);
  const openssl::SslPtr ssl = context->new_ssl(true);
  CHECK(openssl::check_private_key(ssl.get()) != nullptr);
  CHECK(openssl::use_credentials(ssl.get(), complete(), true) == nullptr);
  CHECK(openssl::check_private_key(ssl.get()) == nullptr);
  // Again, beside what there is.
  CHECK(openssl::use_credentials(ssl.get(), complete(), false) == nullptr);
  CHECK(SSL_CTX_get0_certificate(context->get()) == nullptr);
  return true;
}

bool what_is_locked_is_named() {
  Credentials credentials = complete();
  CHECK(openssl::locked_inputs(credentials).empty());
  credentials.key[0].passphrase.reset();
  CHECK(openssl::locked_inputs(credentials) == std::vector<std::string>{"key[0]"});
  return true;
}

bool damage_in_any_byte_does_no_harm() {
  for (std::size_t at = 0; at < material().certificate.size(); at += 7) {
    Credentials credentials = complete();
    credentials.cert[0].data[at] ^= 0x55;
    if (const auto context = make_context(credentials)) CHECK(context->get() != nullptr);
    openssl::hashed_names(credentials.cert[0].data);
  }
  for (std::size_t at = 0; at < material().locked_key.size(); at += 41) {
    Credentials credentials = complete();
    credentials.key[0].data[at] ^= 0x55;
    if (const auto context = make_context(credentials)) CHECK(context->get() != nullptr);
  }
  return true;
}

bool a_store_gives_them_by_uri() {
  const auto [name, file] = make_temporary_file();
  CHECK(static_cast<bool>(file));
  std::ofstream(name).write(reinterpret_cast<const char*>(material().locked_key.data()),
                            static_cast<std::streamsize>(material().locked_key.size()));
  const std::string uri = "file:" + name;
  const bool opened = openssl::load_private_key({"keyUri", uri, secret(kPassphrase)}).value != nullptr;
  const auto locked = openssl::load_private_key({"keyUri", uri, {}});
  const auto wrong = openssl::load_private_key({"keyUri", uri, secret("wrong")});
  const auto none = openssl::load_certificates({"certUri", uri, {}});
  std::remove(name.c_str());
  CHECK(opened);
  CHECK(locked.failure != nullptr && locked.failure->code == "ERR_TLS_PASSPHRASE_REQUIRED");
  CHECK(wrong.failure != nullptr && none.failure != nullptr);
  CHECK(openssl::load_private_key({"keyUri", "nosuch:scheme", {}}).failure != nullptr);
  return true;
}

bool hashed_names_of_certificates() {
  const auto names = openssl::hashed_names(material().certificate);
  CHECK(names.size() == 1 && !names[0].crl && names[0].hash.size() == 8 && names[0].fingerprint.size() == 64);
  CHECK(openssl::hashed_names({}).empty());
  CHECK(openssl::hashed_names(material().key).empty());
  return true;
}

const Register r1("credentials: a context takes them", a_context_takes_them);
const Register r2("credentials: a connection has its own", a_connection_has_its_own);
const Register r3("credentials: what is locked is named", what_is_locked_is_named);
const Register r4("credentials: damage in any byte does no harm", damage_in_any_byte_does_no_harm);
const Register r5("credentials: a store gives them by URI", a_store_gives_them_by_uri);
const Register r6("credentials: hashed names", hashed_names_of_certificates);

}  // namespace
}  // namespace system_tls::test
