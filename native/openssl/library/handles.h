// Ownership of OpenSSL objects: one alias per type, and no other place that frees one.
#pragma once

#include <openssl/bio.h>
#include <openssl/decoder.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

namespace system_tls::openssl {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};

template <typename T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

using SslContextPtr = Owned<SSL_CTX, SSL_CTX_free>;
using SslPtr = Owned<SSL, SSL_free>;
using SessionPtr = Owned<SSL_SESSION, SSL_SESSION_free>;
// BIO_free_all: a chain has one owner, its head.
using BioPtr = Owned<BIO, BIO_free_all>;
using BioMethodPtr = Owned<BIO_METHOD, BIO_meth_free>;
using X509Ptr = Owned<X509, X509_free>;
using X509CrlPtr = Owned<X509_CRL, X509_CRL_free>;
using X509StorePtr = Owned<X509_STORE, X509_STORE_free>;
using X509NamePtr = Owned<X509_NAME, X509_NAME_free>;
using PkeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using Pkcs12Ptr = Owned<PKCS12, PKCS12_free>;
using Asn1IntegerPtr = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using KdfPtr = Owned<EVP_KDF, EVP_KDF_free>;
using KdfContextPtr = Owned<EVP_KDF_CTX, EVP_KDF_CTX_free>;
using DecoderPtr = Owned<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free>;

// Memory that OpenSSL allocated goes back through OpenSSL's own free: an interposed malloc may differ.
inline void free_memory(void* memory) noexcept { OPENSSL_free(memory); }
template <typename T>
using OpensslMemory = Owned<T, free_memory>;

inline void free_x509_stack(STACK_OF(X509) * stack) noexcept { sk_X509_pop_free(stack, X509_free); }
using X509StackPtr = Owned<STACK_OF(X509), free_x509_stack>;

}  // namespace system_tls::openssl
