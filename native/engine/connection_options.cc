#include "engine/connection_options.h"

#include <openssl/err.h>
#include <openssl/tls1.h>
#include <openssl/x509v3.h>

#include "openssl/trust/verification.h"

namespace system_tls::engine {

namespace {

bool set_verify_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1) return true;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size()) == 1;
}

}  // namespace

bool configure(SSL* ssl, const ConnectionOptions& options) {
  if (options.server) {
    SSL_set_accept_state(ssl);
  } else {
    SSL_set_connect_state(ssl);
  }
  if (options.verify_depth >= 0) SSL_set_verify_depth(ssl, options.verify_depth);
  if (options.verify_mode >= 0) {
    openssl::set_verification(ssl, options.verify_mode, options.verify_continue);
    if (options.server &&
        !openssl::separate_sessions(ssl, options.verify_mode, options.verify_continue, options.session_policy)) {
      return false;
    }
  }
  if (options.ticket_count && SSL_set_num_tickets(ssl, *options.ticket_count) != 1) return false;
  // libssl discards a record whose MAC is wrong, but not with encrypt-then-mac (RFC 7366): there it ends the
  // connection, so that anybody who forges the peer's address could.
  if (SSL_is_dtls(ssl) != 0) SSL_set_options(ssl, SSL_OP_NO_ENCRYPT_THEN_MAC);
  if (options.mtu != 0 && SSL_is_dtls(ssl) != 0) {
    SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
    if (SSL_set_mtu(ssl, static_cast<long>(options.mtu)) == 0) return false;
  }
  if (options.external_sessions && !options.tickets_too) SSL_set_options(ssl, SSL_OP_NO_TICKET);
  if (options.request_status && SSL_set_tlsext_status_type(ssl, TLSEXT_STATUSTYPE_ocsp) != 1) return false;
  // A server selects from its own by its callback. Unlike the rest of OpenSSL, 0 is success.
  if (!options.alpn.empty() && !options.server &&
      SSL_set_alpn_protos(ssl, options.alpn.data(), static_cast<unsigned>(options.alpn.size())) != 0) {
    return false;
  }
  if (!options.servername.empty() && SSL_set_tlsext_host_name(ssl, options.servername.c_str()) != 1) return false;
  return options.verify_host.empty() || set_verify_host(ssl, options.verify_host);
}

}  // namespace system_tls::engine
