#include "openssl/context/negotiation.h"

#include <openssl/err.h>

#include <string>

#include "openssl/context/credentials.h"
#include "openssl/library/encoding.h"
#include "openssl/session/resumption.h"

namespace system_tls::openssl {

namespace {

// Messages call an option what users call it, which is what node:tls calls it.
std::string quoted(const char* option, const std::string& value) { return std::string(option) + " '" + value + "'"; }

FailurePtr apply_versions(SSL_CTX* context, const ContextOptions& options) {
  // Setting 0 would replace what openssl.cnf says by "the lowest there is".
  if (options.min_version != 0 && SSL_CTX_set_min_proto_version(context, options.min_version) != 1) {
    return failure_with_code("ERR_INVALID_ARG_VALUE", "minVersion is not one that this OpenSSL supports");
  }
  if (options.max_version != 0 && SSL_CTX_set_max_proto_version(context, options.max_version) != 1) {
    return failure_with_code("ERR_INVALID_ARG_VALUE", "maxVersion is not one that this OpenSSL supports");
  }
  return nullptr;
}

FailurePtr ciphers_refused(const std::string& list) {
  return openssl_failure(quoted("ciphers", list) + " cannot be used");
}

FailurePtr apply_cipher_list(SSL_CTX* context, const std::string& list) {
  if (SSL_CTX_set_cipher_list(context, list.c_str()) == 1) return nullptr;
  // An empty list is how TLS 1.3's suites are left alone; OpenSSL obeys and complains all the same.
  if (list.empty()) return nullptr;
  return ciphers_refused(list);
}

FailurePtr apply_ciphers(SSL_CTX* context, const ContextOptions& options) {
  const ErrorScope scope;
  if (options.cipher_list) {
    if (FailurePtr failure = apply_cipher_list(context, *options.cipher_list)) return failure;
  }
  if (options.ciphersuites && SSL_CTX_set_ciphersuites(context, options.ciphersuites->c_str()) != 1) {
    return ciphers_refused(*options.ciphersuites);
  }
  return nullptr;
}

// Some versions of OpenSSL say nothing about what they refuse here, so the code is ours in all of them.
FailurePtr unknown_name(const char* option, const std::string& list) {
  return failure_with_code("ERR_INVALID_ARG_VALUE",
                           quoted(option, list) + ": a name in it is not known to this OpenSSL");
}

FailurePtr apply_algorithms(SSL_CTX* context, const ContextOptions& options) {
  const ErrorScope scope;
  if (options.sigalgs && SSL_CTX_set1_sigalgs_list(context, options.sigalgs->c_str()) != 1) {
    return unknown_name("sigalgs", *options.sigalgs);
  }
  if (options.client_sigalgs && SSL_CTX_set1_client_sigalgs_list(context, options.client_sigalgs->c_str()) != 1) {
    return unknown_name("clientSigalgs", *options.client_sigalgs);
  }
  if (options.groups && SSL_CTX_set1_groups_list(context, options.groups->c_str()) != 1) {
    return unknown_name("ecdhCurve", *options.groups);
  }
  return nullptr;
}

FailurePtr apply_dh(SSL_CTX* context, const ContextOptions& options) {
  if (options.dh_auto) SSL_CTX_set_dh_auto(context, 1);
  if (!options.dhparam) return nullptr;
  auto [parameters, failure] = read_dh_parameters(*options.dhparam, "dhparam");
  if (failure != nullptr) return failure;
  const ErrorScope scope;
  if (SSL_CTX_set0_tmp_dh_pkey(context, parameters.get()) != 1) return openssl_failure("dhparam is refused");
  // Owned by the context, now that it was taken.
  static_cast<void>(parameters.release());
  return nullptr;
}

FailurePtr apply_max_send_fragment(SSL_CTX* context, const ContextOptions& options, Attachment& attachment) {
  if (!options.max_send_fragment) return nullptr;
  if (SSL_CTX_set_max_send_fragment(context, *options.max_send_fragment) != 1) {
    return failure_with_code("ERR_INVALID_ARG_VALUE", "maxSendFragment must be from 512 to 16384");
  }
  attachment.max_send_fragment = *options.max_send_fragment;
  return nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// ALPN

// RFC 7301 section 3.1: ProtocolName is one to 255 bytes long.
bool is_protocol_list(ByteView list) {
  std::size_t at = 0;
  while (at < list.size()) {
    if (list[at] == 0) return false;
    at += 1U + list[at];
  }
  return at == list.size();
}

// RFC 7301 section 3.2: with nothing in common the handshake ends with the alert no_application_protocol. `argument` is
// the Attachment of the context that was chosen.
int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* out_length, const unsigned char* offered,
                 unsigned int offered_length, void* argument) {
  const auto& attachment = *static_cast<const Attachment*>(argument);
  const ByteView list(offered, offered_length);
  std::optional<ByteView> chosen;
  if (attachment.hooks.protocol != nullptr) chosen = attachment.hooks.protocol(ssl, list);
  if (!chosen) {
    if (attachment.alpn.empty()) return SSL_TLSEXT_ERR_NOACK;
    chosen = select_protocol(attachment.alpn, list);
  }
  if (chosen->empty()) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen->data();
  *out_length = static_cast<unsigned char>(chosen->size());
  return SSL_TLSEXT_ERR_OK;
}

FailurePtr apply_alpn(SSL_CTX* context, const ContextOptions& options, Attachment& attachment) {
  SSL_CTX_set_alpn_select_cb(context, on_protocols, &attachment);
  if (!options.alpn || options.alpn->empty()) return nullptr;
  const Bytes& list = *options.alpn;
  if (!is_protocol_list(list)) {
    return named_failure("ERR_INVALID_ARG_VALUE",
                         "ALPNProtocols must be names of 1 to 255 bytes, each after its length");
  }
  // Unlike the rest of OpenSSL, 0 is success.
  if (SSL_CTX_set_alpn_protos(context, list.data(), static_cast<unsigned int>(list.size())) != 0) {
    return openssl_failure("ALPNProtocols are refused");
  }
  attachment.alpn = list;
  return nullptr;
}

}  // namespace

// RFC 7301 section 3.2: the server's preference decides.
ByteView select_protocol(ByteView own, ByteView offered) {
  unsigned char* selected = nullptr;
  unsigned char size = 0;
  const int found = SSL_select_next_proto(&selected, &size, own.data(), static_cast<unsigned int>(own.size()),
                                          offered.data(), static_cast<unsigned int>(offered.size()));
  return found == OPENSSL_NPN_NEGOTIATED ? ByteView(selected, size) : ByteView();
}

FailurePtr apply_negotiation(SSL_CTX* context, const ContextOptions& options, Attachment& attachment) {
  if (options.security_level) SSL_CTX_set_security_level(context, *options.security_level);
  if (FailurePtr failure = apply_versions(context, options)) return failure;
  if (FailurePtr failure = apply_ciphers(context, options)) return failure;
  if (FailurePtr failure = apply_algorithms(context, options)) return failure;
  if (FailurePtr failure = apply_dh(context, options)) return failure;
  if (FailurePtr failure = apply_max_send_fragment(context, options, attachment)) return failure;
  return apply_alpn(context, options, attachment);
}

// The first call lowers the size into which data is divided, and does not raise it again. From OpenSSL 3.2 on records
// have that size.
void set_max_send_fragment(SSL* ssl, std::uint32_t size) {
  SSL_set_max_send_fragment(ssl, size);
  SSL_set_split_send_fragment(ssl, size);
  // OpenSSL 3.0 writes into the buffer that it has, which a handshake may have left, and fails if that is too small.
  // Ours holds nothing: the BIO takes all that it is given.
  SSL_alloc_buffers(ssl);
}

FailurePtr set_ciphers(SSL* ssl, const std::optional<std::string>& list, const std::optional<std::string>& suites) {
  const ErrorScope scope;
  // Both or none: what is refused is refused on a connection that nobody uses.
  const SslPtr trial(SSL_new(SSL_get_SSL_CTX(ssl)));
  if (!trial) return openssl_failure("The ciphers could not be set");
  for (SSL* each : {trial.get(), ssl}) {
    if (list && SSL_set_cipher_list(each, list->c_str()) != 1) return ciphers_refused(*list);
    if (suites && SSL_set_ciphersuites(each, suites->c_str()) != 1) return ciphers_refused(*suites);
  }
  // A session that is resumed brings its cipher along, whatever the server's list says.
  if (SSL_is_server(ssl) == 1) return resume_nothing(ssl);
  withhold_session_of_other_ciphers(ssl);
  return nullptr;
}

}  // namespace system_tls::openssl
