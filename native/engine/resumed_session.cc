#include "engine/resumed_session.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "openssl/trust/verification.h"

namespace system_tls::engine {

using openssl::FailurePtr;

namespace {

// As the handshake would: what set1_ip_asc() took for an address is no name of any kind (RFC 9525 section 6.5).
bool certificate_names_host(X509* certificate, const std::string& host) {
  constexpr int kNoAddress = -2;
  const int named = X509_check_ip_asc(certificate, host.c_str(), 0);
  if (named != kNoAddress) return named == 1;
  ERR_clear_error();
  return X509_check_host(certificate, host.c_str(), host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
}

}  // namespace

FailurePtr check_resumed_session(SSL* ssl, const std::string& verify_host) {
  const int mode = SSL_get_verify_mode(ssl);
  if ((mode & SSL_VERIFY_PEER) == 0 || SSL_session_reused(ssl) == 0) return nullptr;
  auto failure = std::make_shared<openssl::Failure>();
  failure->verify_result = SSL_get_verify_result(ssl);
  X509* certificate = SSL_get0_peer_certificate(ssl);
  const bool absent = certificate == nullptr && (mode & SSL_VERIFY_FAIL_IF_NO_PEER_CERT) != 0;
  const bool unverified = failure->verify_result != X509_V_OK && !openssl::goes_on_unverified(ssl);
  if (absent || unverified) {
    failure->code = "ERR_TLS_SESSION_NOT_VERIFIED";
    failure->message =
        "The resumed session was made without a successful verification of the peer, which this connection requires: "
        "connect without that session";
    return failure;
  }
  if (verify_host.empty() || (certificate != nullptr && certificate_names_host(certificate, verify_host))) {
    return nullptr;
  }
  failure->verify_result = X509_V_ERR_HOSTNAME_MISMATCH;
  failure->code = "ERR_TLS_SESSION_HOST_MISMATCH";
  failure->message = "The resumed session belongs to a certificate that is not valid for '" + verify_host +
                     "': connect without that session";
  return failure;
}

}  // namespace system_tls::engine
