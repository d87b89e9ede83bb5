#include "engine/callbacks/client_hello.h"

#include "engine/callbacks/hello.h"
#include "engine/connection.h"
#include "openssl/context/negotiation.h"

namespace system_tls::engine {

namespace {

using openssl::FailurePtr;

FailurePtr refused_unless(bool done, const char* what) {
  return done ? nullptr : openssl::openssl_failure(std::string(what) + " of the settings that onClientHello gave");
}

FailurePtr apply_versions(SSL* ssl, const HelloSettings& settings) {
  const bool done = (settings.min_version == 0 || SSL_set_min_proto_version(ssl, settings.min_version) == 1) &&
                    (settings.max_version == 0 || SSL_set_max_proto_version(ssl, settings.max_version) == 1);
  return refused_unless(done, "OpenSSL refuses the versions");
}

FailurePtr apply_ciphers(SSL* ssl, const HelloSettings& settings) {
  if (!settings.cipher_list && !settings.ciphersuites) return nullptr;
  return openssl::set_ciphers(ssl, settings.cipher_list, settings.ciphersuites);
}

FailurePtr apply_groups(SSL* ssl, const HelloSettings& settings) {
  const bool done = !settings.groups || SSL_set1_groups_list(ssl, settings.groups->c_str()) == 1;
  return refused_unless(done, "OpenSSL refuses the groups");
}

// Sessions are those of the name, as with a context by name.
FailurePtr apply_identity(Connection& connection, const HelloSettings& settings) {
  if (settings.identity == nullptr) return nullptr;
  if (FailurePtr failure = openssl::use_identity(connection.ssl(), *settings.identity)) return failure;
  return refused_unless(keep_sessions_to_name(connection), "OpenSSL does not set apart the sessions");
}

FailurePtr apply_verification(Connection& connection, const HelloSettings& settings) {
  if (!settings.verification) return nullptr;
  connection.note_own_verification(settings.verification->session_policy);
  return refused_unless(connection.verify_by(*settings.verification), "OpenSSL refuses the verification");
}

FailurePtr apply_all(Connection& connection, const HelloSettings& settings) {
  SSL* ssl = connection.ssl();
  if (FailurePtr failure = apply_versions(ssl, settings)) return failure;
  if (FailurePtr failure = apply_ciphers(ssl, settings)) return failure;
  if (FailurePtr failure = apply_groups(ssl, settings)) return failure;
  if (FailurePtr failure = apply_identity(connection, settings)) return failure;
  if (settings.alpn) connection.set_alpn(*settings.alpn);
  return apply_verification(connection, settings);
}

}  // namespace

int apply_settings(SSL* ssl, const HelloSettings& settings) {
  Connection& connection = *Connection::from(ssl);
  if (settings.context) {
    if (const int alert = switch_context(ssl, *settings.context)) return alert;
  }
  FailurePtr failure = apply_all(connection, settings);
  if (!failure) return 0;
  connection.refuse_answer(std::move(failure));
  return SSL_AD_INTERNAL_ERROR;
}

int decide_hello(Connection& connection) {
  if (!connection.may_ask(kAskClientHello)) return 0;
  Suspension& suspension = *connection.suspension();
  if (suspension.answered()) return suspension.take(connection.ssl());
  HelloState& hello = *connection.hello();
  // RFC 5246 appendix E.2: it is older than extensions, and does not cross as a handshake message.
  if (SSL_client_hello_isv2(connection.ssl()) == 1) {
    connection.fail_with(misuse(SSL_R_UNSUPPORTED_PROTOCOL, "The client sent a ClientHello of SSL 2.0"));
    return SSL_AD_PROTOCOL_VERSION;
  }
  connection.ask(std::make_shared<ClientHelloSubject>(std::move(hello.message), hello.again));
  return kStageWaits;
}

}  // namespace system_tls::engine
