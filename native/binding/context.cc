#include "binding/context.h"

#include <string>
#include <utility>

#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "binding/credentials.h"
#include "binding/ticket_key_ring.h"
#include "engine/hooks.h"

namespace system_tls::binding {

namespace {

void read_sides(OptionsReader& reader, openssl::ContextOptions& options) {
  std::string side;
  reader.read("side", side);
  if (side == "server") options.sides = openssl::Sides::server;
  if (side == "client") options.sides = openssl::Sides::client;
}

void read_crl_check(OptionsReader& reader, openssl::ContextOptions& options) {
  std::string extent;
  reader.read("crlCheck", extent);
  if (!extent.empty()) options.crl_check = extent == "leaf" ? openssl::CrlCheck::leaf : openssl::CrlCheck::chain;
}

// PEM, or 'auto'.
void read_dhparam(napi_env env, OptionsReader& reader, openssl::ContextOptions& options) {
  napi_value value = reader.get("dhparam");
  if (value == nullptr) return;
  std::string word;
  if (from_js(env, value, word) && word == "auto") {
    options.dh_auto = true;
  } else {
    reader.read("dhparam", options.dhparam);
  }
}

void read_policy(napi_env env, OptionsReader& reader, openssl::ContextOptions& options) {
  reader.read("minVersion", options.min_version)
      .read("maxVersion", options.max_version)
      .read("securityLevel", options.security_level)
      .read("cipherList", options.cipher_list)
      .read("ciphersuites", options.ciphersuites)
      .read("sigalgs", options.sigalgs)
      .read("clientSigalgs", options.client_sigalgs)
      .read("groups", options.groups)
      .read("alpn", options.alpn)
      .read("secureOptions", options.secure_options)
      .read("honorCipherOrder", options.honor_cipher_order)
      .read("allowClientRenegotiation", options.allow_client_renegotiation)
      .read("quietShutdown", options.quiet_shutdown)
      .read("maxSendFragment", options.max_send_fragment);
  read_dhparam(env, reader, options);
  reader.read("dtls", options.dtls);
  read_sides(reader, options);
}

void read_identity_and_trust(OptionsReader& reader, openssl::ContextOptions& options) {
  read_credentials(reader, options.credentials);
  read_named(reader, "ca", options.ca);
  read_named(reader, "crl", options.crl);
  read_crl_check(reader, options);
  if (reader.get("clientCa") != nullptr) read_named(reader, "clientCa", options.client_ca.emplace());
  read_named(reader, "authorities", options.authorities);
  reader.read("caFile", options.ca_file)
      .read("caPath", options.ca_path)
      .read("systemCa", options.system_ca)
      .read("partialChain", options.partial_chain)
      .read("verifyMode", options.verify_mode)
      .read("verifyDepth", options.verify_depth)
      .read("verifyContinue", options.verify_continue);
}

void read_resumption(napi_env env, OptionsReader& reader, openssl::ContextOptions& options) {
  reader.read("sessionIdContext", options.session_id_context)
      .read("sessionPolicy", options.session_policy)
      .read("sessionTimeout", options.session_timeout)
      .read("ticketCount", options.ticket_count);
  napi_value keys = reader.get("ticketKeys");
  if (keys != nullptr && !read_ticket_keys(env, keys, options.ticket_keys)) reader.reject("ticketKeys", kTicketKeys);
}

}  // namespace

std::unique_ptr<ContextHandle> ContextHandle::construct(const Call& call) {
  openssl::ContextOptions options;
  OptionsReader reader(call.env, call[0], "options");
  read_policy(call.env, reader, options);
  read_identity_and_trust(reader, options);
  read_resumption(call.env, reader, options);
  if (!reader.ok()) return nullptr;

  auto [context, failure] = openssl::Context::create(options, engine::context_hooks());
  if (failure != nullptr) {
    throw_failure(call.env, failure);
    return nullptr;
  }
  return std::make_unique<ContextHandle>(std::move(context));
}

napi_value ContextHandle::ciphers(const Call& call) {
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t index = 0;
  for (const std::string& name : context_->ciphers()) {
    napi_set_element(call.env, array, index++, to_js(call.env, name));
  }
  return array;
}

napi_value ContextHandle::security_level(const Call& call) {
  return to_js(call.env, SSL_CTX_get_security_level(context_->get()));
}

napi_value ContextHandle::ticket_keys(const Call& call) {
  return to_js(call.env, openssl::ByteView(context_->ticket_keys()));
}

napi_value ContextHandle::set_ticket_keys(const Call& call) {
  std::shared_ptr<const openssl::TicketKeySource> source;
  if (read_ticket_keys(call.env, call[0], source)) {
    context_->set_ticket_keys(std::move(source));
  } else {
    call.reject("keys", kTicketKeys);
  }
  return nullptr;
}

napi_value ContextHandle::keep_tickets(const Call& call) {
  context_->keep_tickets();
  return undefined(call.env);
}

napi_value ContextHandle::certificate(const Call& call) { return bytes_or_null(call.env, context_->certificate()); }

bool define_context(napi_env env, napi_value exports) {
  return define_class<ContextHandle>(env, exports,
                                     {
                                         getter<&ContextHandle::ciphers>("ciphers"),
                                         getter<&ContextHandle::security_level>("securityLevel"),
                                         method<&ContextHandle::ticket_keys>("ticketKeys"),
                                         method<&ContextHandle::set_ticket_keys>("setTicketKeys"),
                                         method<&ContextHandle::keep_tickets>("keepTickets"),
                                         method<&ContextHandle::certificate>("certificate"),
                                     });
}

}  // namespace system_tls::binding
