#include "openssl/context/context_switch.h"

#include <openssl/x509_vfy.h>

#include "openssl/context/attachment.h"
#include "openssl/context/negotiation.h"
#include "openssl/session/resumption.h"
#include "openssl/trust/trust.h"
#include "openssl/trust/verification.h"

namespace system_tls::openssl {

namespace {

// These are the connection's: what its transport and its owner have asked for.
std::uint64_t own_options(const OwnSettings& settings) {
  std::uint64_t own = SSL_OP_ENABLE_KTLS;
  if (settings.no_renegotiation) own |= SSL_OP_NO_RENEGOTIATION;
  if (settings.no_tickets) own |= SSL_OP_NO_TICKET;
  return own;
}

void copy_options(SSL* ssl, const SSL_CTX* context, const OwnSettings& settings) {
  const std::uint64_t own = SSL_get_options(ssl) & own_options(settings);
  SSL_clear_options(ssl, SSL_get_options(ssl));
  SSL_set_options(ssl, SSL_CTX_get_options(context) | own);
}

bool copy_versions(SSL* ssl, SSL_CTX* context) {
  return SSL_set_min_proto_version(ssl, static_cast<int>(SSL_CTX_get_min_proto_version(context))) == 1 &&
         SSL_set_max_proto_version(ssl, static_cast<int>(SSL_CTX_get_max_proto_version(context))) == 1;
}

// X509_VERIFY_PARAM_set1(3) adds flags and takes none away.
bool copy_verify_parameters(SSL* ssl, SSL_CTX* context, bool own_depth) {
  const int depth = own_depth ? SSL_get_verify_depth(ssl) : SSL_CTX_get_verify_depth(context);
  X509_VERIFY_PARAM* own = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_clear_flags(own, X509_VERIFY_PARAM_get_flags(own));
  if (X509_VERIFY_PARAM_set1(own, SSL_CTX_get0_param(context)) != 1) return false;
  SSL_set_verify_depth(ssl, depth);
  return true;
}

bool copy_groups(SSL* ssl, const SSL_CTX* context) {
  const Attachment* attachment = attachment_of(context);
  if (attachment == nullptr || attachment->groups.empty()) return true;
  return SSL_set1_groups_list(ssl, attachment->groups.c_str()) == 1;
}

// Setting it takes a buffer.
void copy_max_send_fragment(SSL* ssl, const SSL_CTX* from, const SSL_CTX* context) {
  const Attachment* before = attachment_of(from);
  const Attachment* attachment = attachment_of(context);
  if (attachment == nullptr || (before != nullptr && before->max_send_fragment == attachment->max_send_fragment))
    return;
  set_max_send_fragment(ssl, attachment->max_send_fragment);
}

bool copy_ticket_count(SSL* ssl, SSL_CTX* context, const OwnSettings& own) {
  return own.ticket_count || SSL_set_num_tickets(ssl, SSL_CTX_get_num_tickets(context)) == 1;
}

}  // namespace

void acknowledge_names(SSL_CTX* context) {
  const Attachment* attachment = attachment_of(context);
  if (attachment != nullptr) SSL_CTX_set_tlsext_servername_callback(context, attachment->hooks.server_name);
}

bool switch_context(SSL* ssl, const Context& to, const SwitchPolicy& policy) {
  SSL_CTX* context = to.get();
  const int level = SSL_get_security_level(ssl);
  const SSL_CTX* from = SSL_get_SSL_CTX(ssl);
  const bool own_level = level != SSL_CTX_get_security_level(from);
  if (SSL_set_SSL_CTX(ssl, context) != context) return false;
  if (own_level) SSL_set_security_level(ssl, level);
  copy_options(ssl, context, policy.own);
  set_verification(ssl, policy.verify_mode, policy.verify_continue);
  if (!policy.own.max_send_fragment) copy_max_send_fragment(ssl, from, context);
  if (!policy.own.quiet_shutdown) SSL_set_quiet_shutdown(ssl, SSL_CTX_get_quiet_shutdown(context));
  return copy_versions(ssl, context) && copy_verify_parameters(ssl, context, policy.own.verify_depth) &&
         copy_groups(ssl, context) && copy_ticket_count(ssl, context, policy.own) &&
         SSL_set_max_early_data(ssl, SSL_CTX_get_max_early_data(context)) == 1 &&
         SSL_set_recv_max_early_data(ssl, SSL_CTX_get_recv_max_early_data(context)) == 1 && withhold_authorities(ssl) &&
         scope_sessions(ssl, policy.scope) &&
         separate_sessions(ssl, policy.verify_mode, policy.verify_continue, policy.session_policy);
}

}  // namespace system_tls::openssl
