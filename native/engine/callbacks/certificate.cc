#include "engine/callbacks/certificate.h"

#include <openssl/ocsp.h>
#include <openssl/tls1.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

#include "engine/connection.h"
#include "openssl/library/encoding.h"
#include "openssl/library/failure.h"

namespace system_tls::engine {

namespace {

using Stage = CertificateState::Stage;

constexpr int kRetry = -1;

std::vector<std::uint16_t> signature_schemes_of(SSL* ssl) {
  std::vector<std::uint16_t> schemes;
  const int count = SSL_get_sigalgs(ssl, 0, nullptr, nullptr, nullptr, nullptr, nullptr);
  for (int index = 0; index < count; ++index) {
    unsigned char low = 0;
    unsigned char high = 0;
    SSL_get_sigalgs(ssl, index, nullptr, nullptr, nullptr, &low, &high);
    schemes.push_back(static_cast<std::uint16_t>(high << 8U | low));
  }
  return schemes;
}

std::shared_ptr<CertificateSubject> certificate_subject(SSL* ssl) {
  auto subject = std::make_shared<CertificateSubject>();
  subject->signature_schemes = signature_schemes_of(ssl);
  if (SSL_is_server(ssl) == 1) return subject;
  const STACK_OF(X509_NAME)* names = SSL_get0_peer_CA_list(ssl);
  for (int index = 0; index < sk_X509_NAME_num(names); ++index) {
    subject->authorities.push_back(openssl::name_text(sk_X509_NAME_value(names, index)));
  }
  const unsigned char* types = nullptr;
  const std::size_t count = SSL_get0_certificate_types(ssl, &types);
  subject->types.assign(types, types + count);
  return subject;
}

// Which of several OpenSSL will choose it has not decided yet: each gets a response of its own.
std::vector<CertificateState::Status> own_certificates(SSL* ssl) {
  std::vector<CertificateState::Status> found;
  X509* const current = SSL_get_certificate(ssl);
  for (long next = SSL_CERT_SET_FIRST; SSL_set_current_cert(ssl, next) == 1; next = SSL_CERT_SET_NEXT) {
    X509* certificate = SSL_get_certificate(ssl);
    if (certificate == nullptr || SSL_get_privatekey(ssl) == nullptr) continue;
    X509_up_ref(certificate);
    found.push_back({openssl::X509Ptr(certificate), {}, false});
  }
  if (current != nullptr) SSL_select_current_cert(ssl, current);
  return found;
}

openssl::Bytes issuer_of(SSL* ssl, X509* certificate) {
  STACK_OF(X509)* chain = nullptr;
  SSL_select_current_cert(ssl, certificate);
  SSL_get0_chain_certs(ssl, &chain);
  for (int index = 0; index < sk_X509_num(chain); ++index) {
    X509* candidate = sk_X509_value(chain, index);
    if (X509_check_issued(candidate, certificate) == X509_V_OK) return openssl::to_der_bytes(candidate);
  }
  return {};
}

bool is_ocsp_response(openssl::ByteView bytes) {
  const openssl::ErrorScope scope;
  const unsigned char* at = bytes.data();
  const openssl::Owned<OCSP_RESPONSE, OCSP_RESPONSE_free> parsed(
      d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(bytes.size())));
  return parsed != nullptr && at == bytes.data() + bytes.size();
}

bool staples(const Connection& connection) {
  return connection.server() && connection.may_ask(kAskStatusRequest) &&
         SSL_get_tlsext_status_type(connection.ssl()) == TLSEXT_STATUSTYPE_ocsp;
}

void ask_status(Connection& connection, CertificateState::Status& status) {
  auto subject = std::make_shared<StatusRequestSubject>();
  subject->certificate = openssl::to_der_bytes(status.certificate.get());
  X509* const current = SSL_get_certificate(connection.ssl());
  subject->issuer = issuer_of(connection.ssl(), status.certificate.get());
  if (current != nullptr) SSL_select_current_cert(connection.ssl(), current);
  status.asked = true;
  connection.ask(std::move(subject));
}

bool ask_next_status(Connection& connection, CertificateState& state) {
  const auto next = std::find_if(state.statuses.begin(), state.statuses.end(),
                                 [](const CertificateState::Status& each) { return !each.asked; });
  if (next == state.statuses.end()) return false;
  ask_status(connection, *next);
  return true;
}

void begin_statuses(Connection& connection, CertificateState& state) {
  state.stage = Stage::statuses;
  if (staples(connection)) state.statuses = own_certificates(connection.ssl());
}

// A client is asked for each request; a server's decision holds for a second ClientHello too.
int decided(const Connection& connection, CertificateState& state) {
  state.stage = connection.server() ? Stage::decided : Stage::certificate;
  return 1;
}

}  // namespace

int answer_certificate(SSL* ssl, void*) {
  Connection& connection = *Connection::from(ssl);
  CertificateState& state = *connection.certificate_state();
  Suspension& suspension = *connection.suspension();
  if (suspension.abandoned()) return 0;
  if (state.stage == Stage::decided) return 1;
  if (suspension.answered()) {
    if (suspension.take(ssl) != 1) return 0;
    if (state.stage == Stage::certificate) begin_statuses(connection, state);
  } else if (state.stage == Stage::certificate) {
    if (connection.may_ask(kAskCertificate)) {
      connection.ask(certificate_subject(ssl));
      return kRetry;
    }
    begin_statuses(connection, state);
  }
  return ask_next_status(connection, state) ? kRetry : decided(connection, state);
}

// A client of TLS 1.3 would go on without a certificate, where one is refused.
int use_answer(SSL* ssl, const openssl::Identity& identity) {
  openssl::FailurePtr failure = openssl::use_identity(ssl, identity);
  if (!failure) return 1;
  Connection::from(ssl)->refuse_answer(std::move(failure));
  return 0;
}

// OpenSSL sends any bytes up to 3.5, and from 3.6 on none that it cannot parse: in TLS 1.2 it fails without an alert.
int keep_response(SSL* ssl, openssl::ByteView response) {
  if (!Connection::from(ssl)->staples_anything() && !is_ocsp_response(response)) {
    Connection::from(ssl)->refuse_answer(openssl::named_failure(
        "ERR_TLS_INVALID_INPUT", "these " + std::to_string(response.size()) + " bytes are no OCSP response in DER"));
    return 0;
  }
  CertificateState& state = *Connection::from(ssl)->certificate_state();
  const auto asked = std::find_if(state.statuses.rbegin(), state.statuses.rend(),
                                  [](const CertificateState::Status& each) { return each.asked; });
  if (asked != state.statuses.rend()) asked->response.assign(response.begin(), response.end());
  return 1;
}

int staple(SSL* ssl) {
  const CertificateState* state = Connection::from(ssl)->certificate_state();
  if (state == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const X509* chosen = SSL_get_certificate(ssl);
  const auto found =
      std::find_if(state->statuses.begin(), state->statuses.end(), [chosen](const CertificateState::Status& each) {
        return each.certificate.get() == chosen && !each.response.empty();
      });
  if (found == state->statuses.end()) return SSL_TLSEXT_ERR_NOACK;
  // SSL_set_tlsext_status_ocsp_resp(3) takes it over, and frees it by OPENSSL_free(3).
  void* copy = OPENSSL_memdup(found->response.data(), found->response.size());
  if (copy == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
  SSL_set_tlsext_status_ocsp_resp(ssl, static_cast<unsigned char*>(copy), static_cast<long>(found->response.size()));
  return SSL_TLSEXT_ERR_OK;
}

// SSL_set_SSL_CTX(3) takes the callback away with the context's certificates.
void Connection::watch_certificate() {
  if (certificate_) SSL_set_cert_cb(ssl_.get(), answer_certificate, nullptr);
}

void Connection::prepare_certificate() {
  if (!may_ask(kAskCertificate) && !may_ask(kAskStatusRequest)) return;
  if (!certificate_) certificate_ = std::make_unique<CertificateState>();
  watch_certificate();
  // RFC 8446 section 4.6.2: the extension says that a client is willing.
  if (!server_ && may_ask(kAskCertificate) && SSL_in_before(ssl_.get()) != 0)
    SSL_set_post_handshake_auth(ssl_.get(), 1);
}

}  // namespace system_tls::engine
