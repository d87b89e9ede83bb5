#include "openssl/session/session.h"

#include <openssl/asn1.h>

#include <utility>

#include "openssl/library/encoding.h"
#include "openssl/session/resumption.h"
#include "openssl/trust/verification.h"

namespace system_tls::openssl {

namespace {

FailurePtr invalid_session(const std::string& reason) {
  return failure_with_code("ERR_TLS_INVALID_SESSION", "The session cannot be used: " + reason);
}

// The content of the element at `cursor`, and the cursor behind it. False at the end and where the encoding is broken.
bool next_element(const unsigned char*& cursor, const unsigned char* end, int& tag, int& tag_class, ByteView& content) {
  if (cursor >= end) return false;
  long length = 0;
  const int kind = ASN1_get_object(&cursor, &length, &tag, &tag_class, end - cursor);
  if ((kind & 0x80) != 0) return false;
  content = ByteView(cursor, static_cast<std::size_t>(length));
  cursor += length;
  return true;
}

long to_integer(ByteView explicit_integer) {
  const unsigned char* cursor = explicit_integer.data();
  const long length = static_cast<long>(explicit_integer.size());
  const Asn1IntegerPtr integer(d2i_ASN1_INTEGER(nullptr, &cursor, length));
  return integer == nullptr ? 0 : ASN1_INTEGER_get(integer.get());
}

}  // namespace

std::shared_ptr<const Session> Session::copy(const SSL_SESSION* session) {
  SessionPtr duplicate(SSL_SESSION_dup(session));
  return duplicate == nullptr ? nullptr : std::make_shared<const Session>(std::move(duplicate));
}

SessionResult Session::from_der(ByteView der) {
  const ErrorScope scope;
  if (der.empty()) return {nullptr, invalid_session("it is empty")};
  const unsigned char* cursor = der.data();
  SessionPtr session(d2i_SSL_SESSION(nullptr, &cursor, static_cast<long>(der.size())));
  if (session == nullptr) return {nullptr, invalid_session("it is not the DER form of an SSL_SESSION")};
  if (cursor != der.data() + der.size()) return {nullptr, invalid_session("bytes follow its end")};
  return {std::make_shared<const Session>(std::move(session)), nullptr};
}

Bytes Session::to_der() const {
  return encode([this](unsigned char** out) { return i2d_SSL_SESSION(get(), out); });
}

SessionPtr Session::for_connection() const { return SessionPtr(SSL_SESSION_dup(get())); }

ByteView Session::id() const noexcept {
  unsigned int length = 0;
  const unsigned char* id = SSL_SESSION_get_id(get(), &length);
  return ByteView(id, length);
}

std::string Session::version() const { return protocol_name(SSL_SESSION_get_protocol_version(get())); }

std::string Session::cipher() const {
  const SSL_CIPHER* cipher = SSL_SESSION_get0_cipher(get());
  return cipher == nullptr ? std::string() : SSL_CIPHER_get_name(cipher);
}

std::int64_t Session::time() const noexcept { return SSL_SESSION_get_time(get()); }

std::int64_t Session::timeout() const noexcept { return SSL_SESSION_get_timeout(get()); }

std::uint64_t Session::ticket_lifetime_hint() const noexcept { return SSL_SESSION_get_ticket_lifetime_hint(get()); }

bool Session::has_ticket() const noexcept { return SSL_SESSION_has_ticket(get()) == 1; }

ByteView Session::ticket() const noexcept {
  const unsigned char* ticket = nullptr;
  std::size_t size = 0;
  SSL_SESSION_get0_ticket(get(), &ticket, &size);
  return {ticket, size};
}

int Session::policy() const noexcept { return session_policy_of(get()); }

bool Session::resumable() const noexcept { return SSL_SESSION_is_resumable(get()) == 1; }

std::optional<std::string> Session::servername() const {
  const char* name = SSL_SESSION_get0_hostname(get());
  return name == nullptr ? std::nullopt : std::optional<std::string>(name);
}

std::optional<std::string> Session::alpn_protocol() const {
  const unsigned char* protocol = nullptr;
  std::size_t length = 0;
  SSL_SESSION_get0_alpn_selected(get(), &protocol, &length);
  if (protocol == nullptr || length == 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(protocol), length);
}

std::uint32_t Session::max_early_data() const noexcept { return SSL_SESSION_get_max_early_data(get()); }

long Session::verify_result() const {
  // OpenSSL has no accessor for it; in the DER form it is the field [5], absent when it is X509_V_OK (ssl_asn1.c).
  constexpr int kVerifyResultTag = 5;
  const ErrorScope scope;
  const Bytes der = to_der();
  const unsigned char* cursor = der.data();
  int tag = 0;
  int tag_class = 0;
  ByteView content;
  if (!next_element(cursor, der.data() + der.size(), tag, tag_class, content)) return X509_V_ERR_UNSPECIFIED;
  cursor = content.data();
  const unsigned char* end = cursor + content.size();
  while (next_element(cursor, end, tag, tag_class, content)) {
    if (tag_class == V_ASN1_CONTEXT_SPECIFIC && tag == kVerifyResultTag) return to_integer(content);
  }
  return X509_V_OK;
}

Bytes Session::peer_certificate() const { return to_der_bytes(SSL_SESSION_get0_peer(get())); }

std::string protocol_name(int version) {
  switch (version) {
    case SSL3_VERSION:
      return "SSLv3";
    case TLS1_VERSION:
      return "TLSv1";
    case TLS1_1_VERSION:
      return "TLSv1.1";
    case TLS1_2_VERSION:
      return "TLSv1.2";
    case TLS1_3_VERSION:
      return "TLSv1.3";
    case DTLS1_VERSION:
      return "DTLSv1";
    case DTLS1_2_VERSION:
      return "DTLSv1.2";
    default:
      return "unknown";
  }
}

FailurePtr use_session(SSL* ssl, SSL_SESSION* session) {
  if (SSL_in_before(ssl) == 0) {
    return named_failure("ERR_TLS_HANDSHAKE_STARTED",
                         "A session must be set before the handshake begins: call setSession() before connect()");
  }
  const ErrorScope errors;
  mark_session(session, session_policy::kResumed);
  if (SSL_set_session(ssl, session) != 1) return openssl_failure("The session cannot be used on this connection");
  withhold_session_of_other_ciphers(ssl);
  return nullptr;
}

}  // namespace system_tls::openssl
