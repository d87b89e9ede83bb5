#include "openssl/context/context.h"

#include <utility>

#include "openssl/context/attachment.h"
#include "openssl/context/identity.h"
#include "openssl/context/negotiation.h"
#include "openssl/library/encoding.h"
#include "openssl/session/resumption.h"
#include "openssl/trust/trust.h"

namespace system_tls::openssl {

namespace {

// What this library promises whatever openssl.cnf says: truncation is never taken for the peer's close_notify, and who
// may renegotiate is decided by the application. Everything else there is the operator's policy and stays.
constexpr std::uint64_t kOff =
    SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_RENEGOTIATION | SSL_OP_ALLOW_CLIENT_RENEGOTIATION;

// CRIME: compression tells of the secrets that are compressed along. Nothing of SSL_OP_ALL: its one item that matters
// today, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS, takes off TLS 1.0's defence against chosen plaintext.
constexpr std::uint64_t kOn = SSL_OP_NO_COMPRESSION;

FailurePtr apply_options(SSL_CTX* context, const ContextOptions& options) {
  if ((options.secure_options & SSL_OP_IGNORE_UNEXPECTED_EOF) != 0) {
    return named_failure("ERR_INVALID_ARG_VALUE",
                         "secureOptions contains SSL_OP_IGNORE_UNEXPECTED_EOF, which takes truncation for a clean end; "
                         "handle ERR_SSL_UNEXPECTED_EOF instead");
  }
  SSL_CTX_clear_options(context, kOff);
  SSL_CTX_set_options(context, kOn | options.secure_options);
  if (options.honor_cipher_order) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  if (options.quiet_shutdown) SSL_CTX_set_quiet_shutdown(context, 1);
  if (options.allow_client_renegotiation) SSL_CTX_set_options(context, SSL_OP_ALLOW_CLIENT_RENEGOTIATION);
  return nullptr;
}

// The connection layer relies on each of them; SSL_CTX_set_mode(3).
void apply_modes(SSL_CTX* context) {
  // A write is all or nothing; SSL_MODE_ASYNC is for single calls, since it is costly on data.
  SSL_CTX_clear_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ASYNC);
  SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
  // OpenSSL would look for the issuers of our own certificate in every handshake, which reads the system's folder of
  // certificates each time. They are looked for once, when the certificate is set.
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);
  // Our BIO holds what was received; a second buffer would only hide from it what is still unread.
  SSL_CTX_set_read_ahead(context, 0);
}

// RFC 8446 section 4.6.2: the extension says that a client is willing. One without a certificate has nothing to answer
// with, and would show one more trait by which clients are told apart.
void apply_post_handshake_auth(SSL_CTX* context) {
  if (SSL_CTX_get0_certificate(context) != nullptr) SSL_CTX_set_post_handshake_auth(context, 1);
}

const SSL_METHOD* method_for(Sides sides, bool dtls) {
  switch (sides) {
    case Sides::server:
      return dtls ? DTLS_server_method() : TLS_server_method();
    case Sides::client:
      return dtls ? DTLS_client_method() : TLS_client_method();
    case Sides::both:
      break;
  }
  return dtls ? DTLS_method() : TLS_method();
}

FailurePtr configure(SSL_CTX* context, const ContextOptions& options, const ContextHooks& hooks) {
  if (!attach(context, Attachment{hooks, {}, {}, options.groups.value_or(std::string())}))
    return openssl_failure("the context cannot be made");
  Attachment& attachment = *attachment_of(context);
  apply_modes(context);
  if (options.dtls) SSL_CTX_set_cookie_verify_cb(context, hooks.verify_cookie);
  SSL_CTX_set_client_hello_cb(context, hooks.client_hello, nullptr);
  if (hooks.status != nullptr) SSL_CTX_set_tlsext_status_cb(context, hooks.status);
  if (FailurePtr failure = apply_options(context, options)) return failure;
  // Before any certificate, since the security level judges them.
  if (FailurePtr failure = apply_negotiation(context, options, attachment)) return failure;
  if (FailurePtr failure = apply_trust(context, options)) return failure;
  if (FailurePtr failure = use_credentials(context, options.credentials)) return failure;
  apply_post_handshake_auth(context);
  return apply_resumption(context, options);
}

}  // namespace

ContextResult Context::create(const ContextOptions& options, const ContextHooks& hooks) {
  const ErrorScope scope;
  SslContextPtr context(SSL_CTX_new(method_for(options.sides, options.dtls)));
  if (context == nullptr) return {nullptr, openssl_failure("the context cannot be made")};
  if (FailurePtr failure = configure(context.get(), options, hooks)) return {nullptr, std::move(failure)};
  return {std::make_shared<const Context>(std::move(context)), nullptr};
}

std::vector<std::string> Context::ciphers() const {
  std::vector<std::string> names;
  const STACK_OF(SSL_CIPHER)* ciphers = SSL_CTX_get_ciphers(get());
  for (int index = 0; index < sk_SSL_CIPHER_num(ciphers); ++index) {
    names.emplace_back(SSL_CIPHER_get_name(sk_SSL_CIPHER_value(ciphers, index)));
  }
  return names;
}

SecretBytes Context::ticket_keys() const {
  const std::shared_ptr<const TicketKeys> keys = attachment_of(get())->ticket_keys->keys();
  return keys == nullptr ? SecretBytes() : keys->newest().bytes();
}

void Context::set_ticket_keys(std::shared_ptr<const TicketKeySource> source) const {
  attachment_of(get())->ticket_keys->set(std::move(source));
}

void Context::keep_tickets() const { attachment_of(get())->ticket_keys->keep_tickets(); }

Bytes Context::certificate() const { return to_der_bytes(SSL_CTX_get0_certificate(get())); }

SslPtr Context::new_ssl(bool server) const {
  SslPtr ssl(SSL_new(get()));
  if (ssl == nullptr || !note_initial_context(ssl.get(), get())) return nullptr;
  // The id context is for servers. A client with one ends the connection with "attempt to reuse session in different
  // context" where it meets a session of another policy; what a resumed session is worth is checked afterwards instead.
  static constexpr unsigned char kNone = 0;
  if (server && !withhold_authorities(ssl.get())) return nullptr;
  if (!server && SSL_set_session_id_context(ssl.get(), &kNone, 0) != 1) return nullptr;
  return ssl;
}

void start_keylog(const SSL* ssl) {
  SSL_CTX* context = SSL_get_SSL_CTX(ssl);
  const Attachment* attachment = attachment_of(context);
  if (attachment != nullptr) SSL_CTX_set_keylog_callback(context, attachment->hooks.keylog);
}

}  // namespace system_tls::openssl
