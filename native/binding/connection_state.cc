// What JavaScript asks about a connection. A closed one answers with what an unused one would.
#include <utility>

#include "binding/connection.h"
#include "binding/core/failure.h"
#include "binding/io_pool.h"
#include "binding/session.h"
#include "engine/negotiated.h"
#include "io/transports/socket.h"
#include "openssl/library/encoding.h"
#include "openssl/session/keying_material.h"

namespace system_tls::binding {

using openssl::FailurePtr;

namespace {

const char* family_name(io::Address::Family family) {
  switch (family) {
    case io::Address::Family::ipv4:
      return "IPv4";
    case io::Address::Family::ipv6:
      return "IPv6";
    case io::Address::Family::unix_path:
      break;
  }
  return "unix";
}

napi_value list_to_js(napi_env env, const std::vector<openssl::Bytes>& list) {
  napi_value array = nullptr;
  napi_create_array(env, &array);
  std::uint32_t count = 0;
  for (const openssl::Bytes& bytes : list) napi_set_element(env, array, count++, bytes_or_null(env, bytes));
  return array;
}

napi_value list_to_js(napi_env env, const std::vector<std::string>& list) {
  napi_value array = nullptr;
  napi_create_array(env, &array);
  std::uint32_t count = 0;
  for (const std::string& text : list) napi_set_element(env, array, count++, to_js(env, text));
  return array;
}

}  // namespace

napi_value address_to_js(napi_env env, const std::optional<io::Address>& address) {
  napi_value object = nullptr;
  if (!address || napi_create_object(env, &object) != napi_ok) return null(env);
  set_property(env, object, "address", to_js(env, address->text));
  set_property(env, object, "family", to_js(env, family_name(address->family)));
  set_property(env, object, "port", to_js(env, address->port));
  return object;
}

napi_value ConnectionHandle::session(const Call& call) {
  const openssl::SessionPtr current = access_->session();
  return session_to_js(call.env, current ? openssl::Session::copy(current.get()) : nullptr);
}

napi_value ConnectionHandle::closed(const Call& call) { return to_js(call.env, access_->closed()); }

napi_value ConnectionHandle::established(const Call& call) { return to_js(call.env, access_->gauges().established); }

napi_value ConnectionHandle::version(const Call& call) { return to_js(call.env, access_->negotiated()->version); }

napi_value ConnectionHandle::cipher(const Call& call) {
  const SSL_CIPHER* cipher = access_->negotiated()->cipher;
  napi_value object = nullptr;
  if (cipher == nullptr || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  set_property(call.env, object, "name", to_js(call.env, SSL_CIPHER_get_name(cipher)));
  set_property(call.env, object, "standardName", to_js(call.env, SSL_CIPHER_standard_name(cipher)));
  set_property(call.env, object, "version", to_js(call.env, SSL_CIPHER_get_version(cipher)));
  set_property(call.env, object, "bits", to_js(call.env, SSL_CIPHER_get_bits(cipher, nullptr)));
  return object;
}

napi_value ConnectionHandle::group(const Call& call) { return to_js(call.env, access_->negotiated()->group); }

napi_value ConnectionHandle::alpn_protocol(const Call& call) { return to_js(call.env, access_->negotiated()->alpn); }

napi_value ConnectionHandle::servername(const Call& call) { return to_js(call.env, access_->negotiated()->servername); }

napi_value ConnectionHandle::session_reused(const Call& call) {
  return to_js(call.env, access_->negotiated()->session_reused);
}

napi_value ConnectionHandle::security_level(const Call& call) {
  return to_js(call.env, access_->negotiated()->security_level);
}

napi_value ConnectionHandle::ktls(const Call& call) {
  const std::optional<io::KernelTls> state = access_->kernel_tls();
  napi_value object = nullptr;
  if (!state || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  set_property(call.env, object, "send", to_js(call.env, state->sends));
  set_property(call.env, object, "receive", to_js(call.env, state->receives));
  set_property(call.env, object, "reason", state->reason.empty() ? null(call.env) : to_js(call.env, state->reason));
  return object;
}

napi_value ConnectionHandle::verify_result(const Call& call) {
  return to_js(call.env, access_->negotiated()->verify_result);
}

napi_value ConnectionHandle::peer_certificate(const Call& call) {
  return bytes_or_null(call.env, openssl::to_der_bytes(access_->negotiated()->peer_certificate.get()));
}

napi_value ConnectionHandle::peer_certificate_chain(const Call& call) {
  return list_to_js(call.env, engine::peer_chain_of(*access_->negotiated()));
}

napi_value ConnectionHandle::verified_chain(const Call& call) {
  return list_to_js(call.env, engine::verified_chain_of(*access_->negotiated()));
}

napi_value ConnectionHandle::certificate(const Call& call) {
  return bytes_or_null(call.env, openssl::to_der_bytes(access_->negotiated()->certificate.get()));
}

napi_value ConnectionHandle::client_ca_list(const Call& call) {
  return list_to_js(call.env, engine::client_ca_list_of(*access_->negotiated()));
}

napi_value ConnectionHandle::peer_ca_list(const Call& call) {
  return list_to_js(call.env, engine::peer_ca_list_of(*access_->negotiated()));
}

napi_value ConnectionHandle::shared_sigalgs(const Call& call) {
  return list_to_js(call.env, engine::shared_sigalgs_of(*access_->negotiated()));
}

napi_value ConnectionHandle::ephemeral_key(const Call& call) {
  const std::optional<engine::EphemeralKey> key = engine::ephemeral_key_of(*access_->negotiated());
  napi_value object = nullptr;
  if (!key || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  set_property(call.env, object, "type", to_js(call.env, key->type));
  if (!key->name.empty()) set_property(call.env, object, "name", to_js(call.env, key->name));
  set_property(call.env, object, "size", to_js(call.env, key->bits));
  return object;
}

// On a thread the bytes come with an event.
napi_value ConnectionHandle::export_keying_material(const Call& call) {
  engine::OperationId id = 0;
  openssl::KeyingMaterial wanted;
  if (!call.read(0, "op", id) || !call.read(1, "length", wanted.length) || !call.read(2, "label", wanted.label)) {
    return nullptr;
  }
  if (!is_nullish(call.env, call[3])) {
    View context;
    if (!call.read(3, "context", context)) return nullptr;
    wanted.context.emplace(context.begin(), context.end());
  }
  if (access_->closed())
    return throw_failure(call.env, openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed"));
  if (access_->remote()) {
    const bool sent = access_->run([id, wanted = std::move(wanted)](io::Channel& channel) {
      openssl::Bytes material;
      FailurePtr failure = openssl::export_keying_material(channel.connection()->ssl(), wanted, material);
      channel.exported(id, std::move(material), std::move(failure));
    });
    return sent ? null(call.env) : throw_failure(call.env, IoPoolHandle::closed_failure());
  }
  openssl::Bytes material;
  const FailurePtr failure = openssl::export_keying_material(access_->local().connection()->ssl(), wanted, material);
  return failure ? throw_failure(call.env, failure) : to_js(call.env, openssl::ByteView(material));
}

napi_value ConnectionHandle::finished(const Call& call) {
  return bytes_or_null(call.env, access_->negotiated()->finished.view());
}

napi_value ConnectionHandle::ocsp_response(const Call& call) {
  return bytes_or_null(call.env, access_->negotiated()->ocsp_response);
}

napi_value ConnectionHandle::peer_finished(const Call& call) {
  return bytes_or_null(call.env, access_->negotiated()->peer_finished.view());
}

napi_value ConnectionHandle::key_update_type(const Call& call) {
  return to_js(call.env, access_->gauges().key_update_type);
}

napi_value ConnectionHandle::renegotiate_pending(const Call& call) {
  return to_js(call.env, access_->gauges().renegotiate_pending);
}

napi_value ConnectionHandle::renegotiations(const Call& call) {
  return to_js(call.env, access_->negotiated()->renegotiations);
}

napi_value ConnectionHandle::shutdown_state(const Call& call) { return to_js(call.env, access_->gauges().shutdown); }

napi_value ConnectionHandle::psk_identity(const Call& call) {
  return bytes_or_null(call.env, access_->negotiated()->psk_identity);
}

napi_value ConnectionHandle::quiet_shutdown(const Call& call) {
  return to_js(call.env, quiet_shutdown_ ? *quiet_shutdown_ : access_->negotiated()->quiet_shutdown);
}

napi_value ConnectionHandle::context_tag(const Call& call) { return to_js(call.env, access_->context_tag()); }

napi_value ConnectionHandle::buffered_amount(const Call& call) { return to_js(call.env, access_->gauges().out); }

napi_value ConnectionHandle::readable_amount(const Call& call) { return to_js(call.env, access_->gauges().readable); }

napi_value ConnectionHandle::idle_time(const Call& call) { return to_js(call.env, access_->idle_time()); }

napi_value ConnectionHandle::state(const Call& call) { return to_js(call.env, access_->gauges().state); }

napi_value ConnectionHandle::local_address(const Call& call) { return address_to_js(call.env, find_local_address()); }

// On an I/O thread the descriptor is out of reach: what was noted is told.
std::optional<io::Address> ConnectionHandle::find_local_address() const {
  if (access_->closed()) return std::nullopt;
  if (access_->remote() || local_address_) return local_address_ ? std::optional(*local_address_) : std::nullopt;
  const int fd = access_->local().fd();
  return fd < 0 ? std::nullopt : io::local_address(fd);
}

napi_value ConnectionHandle::remote_address(const Call& call) { return address_to_js(call.env, peer_.address()); }

std::vector<napi_property_descriptor> ConnectionHandle::states() {
  using Self = ConnectionHandle;
  return {
      method<&Self::session>("session"),
      getter<&Self::closed>("closed"),
      getter<&Self::established>("established"),
      getter<&Self::version>("version"),
      getter<&Self::cipher>("cipher"),
      getter<&Self::group>("group"),
      getter<&Self::alpn_protocol>("alpnProtocol"),
      getter<&Self::servername>("servername"),
      getter<&Self::session_reused>("sessionReused"),
      getter<&Self::security_level>("securityLevel"),
      method<&Self::ktls>("ktls"),
      getter<&Self::verify_result>("verifyResult"),
      method<&Self::peer_certificate>("peerCertificate"),
      method<&Self::peer_certificate_chain>("peerCertificateChain"),
      method<&Self::verified_chain>("verifiedChain"),
      method<&Self::certificate>("certificate"),
      method<&Self::client_ca_list>("clientCaList"),
      method<&Self::peer_ca_list>("peerCaList"),
      method<&Self::shared_sigalgs>("sharedSigalgs"),
      method<&Self::ephemeral_key>("ephemeralKey"),
      method<&Self::export_keying_material>("exportKeyingMaterial"),
      method<&Self::ocsp_response>("ocspResponse"),
      method<&Self::finished>("finished"),
      method<&Self::peer_finished>("peerFinished"),
      getter<&Self::key_update_type>("keyUpdateType"),
      getter<&Self::renegotiate_pending>("renegotiatePending"),
      getter<&Self::renegotiations>("renegotiations"),
      getter<&Self::context_tag>("contextTag"),
      getter<&Self::shutdown_state>("shutdownState"),
      method<&Self::psk_identity>("pskIdentity"),
      getter<&Self::quiet_shutdown>("quietShutdown"),
      getter<&Self::buffered_amount>("bufferedAmount"),
      getter<&Self::readable_amount>("readableAmount"),
      getter<&Self::idle_time>("idleTime"),
      getter<&Self::state>("state"),
      method<&Self::local_address>("localAddress"),
      method<&Self::remote_address>("remoteAddress"),
  };
}

bool define_connection(napi_env env, napi_value exports) {
  std::vector<napi_property_descriptor> properties = ConnectionHandle::operations();
  const std::vector<napi_property_descriptor> states = ConnectionHandle::states();
  properties.insert(properties.end(), states.begin(), states.end());
  return define_class<ConnectionHandle>(env, exports, properties);
}

}  // namespace system_tls::binding
