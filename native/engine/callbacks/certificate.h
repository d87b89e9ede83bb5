// The own certificate by a function of the application's, and the OCSP response that a server staples to it:
// SSL_set_cert_cb(3), on both sides, in post-handshake authentication and renegotiation too. It waits by the callback's
// own retry.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engine/question.h"
#include "openssl/context/identity.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

class Connection;

// An answer's result is 1, having set certificates or left them, or 0: the handshake fails.
class CertificateSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 5;
  CertificateSubject() : Subject(kKind) {}

  // Of the peer: SignatureScheme (RFC 8446 section 4.2.3), in its order.
  std::vector<std::uint16_t> signature_schemes;
  // Of a server's request: subjects of authorities, and up to TLS 1.2 types (RFC 5246 section 7.4.4).
  std::vector<std::string> authorities;
  std::vector<std::uint8_t> types;
};

// An answer's result is 1 (it has kept a response, or there is none) or 0.
class StatusRequestSubject : public Subject {
 public:
  static constexpr std::int32_t kKind = 6;
  StatusRequestSubject() : Subject(kKind) {}

  // DER. `issuer` is empty if it is not known.
  openssl::Bytes certificate;
  openssl::Bytes issuer;
};

// Of one connection that asks for either.
struct CertificateState {
  enum class Stage : std::uint8_t { certificate, statuses, decided };
  Stage stage = Stage::certificate;
  struct Status {
    openssl::X509Ptr certificate;
    openssl::Bytes response;  // empty: none
    bool asked = false;
  };
  // One for each certificate that OpenSSL may choose from.
  std::vector<Status> statuses;
};

// As SSL_set_cert_cb(3) wants it.
int answer_certificate(SSL* ssl, void* unused);
// On OpenSSL's stack, in that callback. 1 or 0.
int use_answer(SSL* ssl, const openssl::Identity& identity);
int keep_response(SSL* ssl, openssl::ByteView response);
// As SSL_CTX_set_tlsext_status_cb(3) wants it of a server: what was kept for the certificate that was chosen.
int staple(SSL* ssl);

}  // namespace system_tls::engine
