// What JavaScript asks about a connection. A closed one answers with what an unused one would.
#include <algorithm>

#include "binding/connection.h"
#include "binding/failure.h"
#include "binding/session.h"
#include "io/socket.h"
#include "openssl/encoding.h"

namespace system_tls::binding {

namespace {

napi_value certificate_to_js(napi_env env, const X509* certificate) {
  if (certificate == nullptr) return null(env);
  const openssl::Bytes der = openssl::to_der_bytes(certificate);
  return to_js(env, std::span<const std::uint8_t>(der));
}

// SSL_get_finished(3) and SSL_get_peer_finished(3).
napi_value finished_to_js(napi_env env, const SSL* ssl, std::size_t (*get)(const SSL*, void*, std::size_t)) {
  std::uint8_t bytes[EVP_MAX_MD_SIZE];
  const std::size_t size = ssl == nullptr ? 0 : get(ssl, bytes, sizeof bytes);
  if (size == 0) return null(env);
  return to_js(env, std::span<const std::uint8_t>(bytes, std::min(size, sizeof bytes)));
}

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
  if (connection() == nullptr) return null(call.env);
  const SSL_SESSION* session = SSL_get_session(ssl());
  return session == nullptr ? null(call.env) : session_to_js(call.env, openssl::Session::copy(session));
}

napi_value ConnectionHandle::closed(const Call& call) { return to_js(call.env, connection() == nullptr); }

napi_value ConnectionHandle::established(const Call& call) {
  return to_js(call.env, connection() != nullptr && connection()->established());
}

napi_value ConnectionHandle::version(const Call& call) {
  return to_js(call.env, connection() != nullptr && connection()->established() ? SSL_get_version(ssl()) : "unknown");
}

napi_value ConnectionHandle::cipher(const Call& call) {
  const SSL_CIPHER* cipher = connection() == nullptr ? nullptr : SSL_get_current_cipher(ssl());
  napi_value object = nullptr;
  if (cipher == nullptr || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  set_property(call.env, object, "name", to_js(call.env, SSL_CIPHER_get_name(cipher)));
  set_property(call.env, object, "standardName", to_js(call.env, SSL_CIPHER_standard_name(cipher)));
  set_property(call.env, object, "version", to_js(call.env, SSL_CIPHER_get_version(cipher)));
  set_property(call.env, object, "bits", to_js(call.env, SSL_CIPHER_get_bits(cipher, nullptr)));
  return object;
}

napi_value ConnectionHandle::group(const Call& call) {
  if (connection() == nullptr || !connection()->established()) return null(call.env);
  const long group = SSL_get_negotiated_group(ssl());
  if (group == 0) return null(call.env);
  return to_js(call.env, SSL_group_to_name(ssl(), static_cast<int>(group)));
}

napi_value ConnectionHandle::alpn_protocol(const Call& call) {
  if (connection() == nullptr) return null(call.env);
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl(), &name, &size);
  if (size == 0) return null(call.env);
  return to_js(call.env, std::string_view(reinterpret_cast<const char*>(name), size));
}

napi_value ConnectionHandle::servername(const Call& call) {
  if (connection() == nullptr) return null(call.env);
  return to_js(call.env, SSL_get_servername(ssl(), TLSEXT_NAMETYPE_host_name));
}

napi_value ConnectionHandle::session_reused(const Call& call) {
  return to_js(call.env, connection() != nullptr && SSL_session_reused(ssl()) != 0);
}

napi_value ConnectionHandle::verify_result(const Call& call) {
  return to_js(call.env, connection() == nullptr ? 0 : SSL_get_verify_result(ssl()));
}

napi_value ConnectionHandle::peer_certificate(const Call& call) {
  return certificate_to_js(call.env, connection() == nullptr ? nullptr : SSL_get0_peer_certificate(ssl()));
}

napi_value ConnectionHandle::peer_certificate_chain(const Call& call) {
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  if (connection() == nullptr) return array;
  std::uint32_t count = 0;
  // On a server, and there alone, the chain lacks the peer's own certificate (SSL_get_peer_cert_chain(3)).
  const X509* leaf = connection()->server() ? SSL_get0_peer_certificate(ssl()) : nullptr;
  if (leaf != nullptr) napi_set_element(call.env, array, count++, certificate_to_js(call.env, leaf));
  const STACK_OF(X509)* chain = SSL_get_peer_cert_chain(ssl());
  for (int index = 0; index < sk_X509_num(chain); ++index) {
    napi_set_element(call.env, array, count++, certificate_to_js(call.env, sk_X509_value(chain, index)));
  }
  return array;
}

napi_value ConnectionHandle::certificate(const Call& call) {
  return certificate_to_js(call.env, connection() == nullptr ? nullptr : SSL_get_certificate(ssl()));
}

napi_value ConnectionHandle::export_keying_material(const Call& call) {
  std::uint32_t length = 0;
  std::string label;
  View context;
  if (!call.read(0, "length", length) || !call.read(1, "label", label)) return nullptr;
  const bool use_context = !is_nullish(call.env, call[2]);
  if (use_context && !call.read(2, "context", context)) return nullptr;
  if (connection() == nullptr)
    return throw_failure(call.env, openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed"));
  constexpr std::uint32_t kMost = 64 * 1024;
  std::vector<std::uint8_t> material(std::min(length, kMost));
  const openssl::ErrorScope errors;
  const int result = SSL_export_keying_material(ssl(), material.data(), material.size(), label.data(), label.size(),
                                                context.data(), context.size(), use_context ? 1 : 0);
  if (result == 1 && length <= kMost) return to_js(call.env, std::span<const std::uint8_t>(material));
  return throw_failure(call.env,
                       openssl::openssl_failure("No keying material can be exported: it needs a completed handshake, "
                                                "a label that is not reserved and a length that the hash can give"));
}

napi_value ConnectionHandle::finished(const Call& call) { return finished_to_js(call.env, ssl(), SSL_get_finished); }
napi_value ConnectionHandle::peer_finished(const Call& call) {
  return finished_to_js(call.env, ssl(), SSL_get_peer_finished);
}

napi_value ConnectionHandle::key_update_type(const Call& call) {
  return to_js(call.env, connection() == nullptr ? SSL_KEY_UPDATE_NONE : SSL_get_key_update_type(ssl()));
}

napi_value ConnectionHandle::renegotiate_pending(const Call& call) {
  return to_js(call.env, connection() != nullptr && SSL_renegotiate_pending(ssl()) != 0);
}

napi_value ConnectionHandle::renegotiations(const Call& call) {
  return to_js(call.env, connection() == nullptr ? 0u : connection()->renegotiations());
}

napi_value ConnectionHandle::buffered_amount(const Call& call) {
  return to_js(call.env, connection() == nullptr ? std::size_t{0} : connection()->enc().out.size());
}

napi_value ConnectionHandle::readable_amount(const Call& call) {
  return to_js(call.env, connection() == nullptr ? std::size_t{0} : connection()->readable());
}

napi_value ConnectionHandle::state(const Call& call) {
  return to_js(call.env, connection() == nullptr ? "closed" : SSL_state_string_long(ssl()));
}

napi_value ConnectionHandle::local_address(const Call& call) {
  return address_to_js(call.env, channel_->fd() < 0 ? std::nullopt : io::local_address(channel_->fd()));
}

napi_value ConnectionHandle::remote_address(const Call& call) {
  return address_to_js(call.env, channel_->fd() < 0 ? std::nullopt : io::remote_address(channel_->fd()));
}

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
      getter<&Self::verify_result>("verifyResult"),
      method<&Self::peer_certificate>("peerCertificate"),
      method<&Self::peer_certificate_chain>("peerCertificateChain"),
      method<&Self::certificate>("certificate"),
      method<&Self::export_keying_material>("exportKeyingMaterial"),
      method<&Self::finished>("finished"),
      method<&Self::peer_finished>("peerFinished"),
      getter<&Self::key_update_type>("keyUpdateType"),
      getter<&Self::renegotiate_pending>("renegotiatePending"),
      getter<&Self::renegotiations>("renegotiations"),
      getter<&Self::buffered_amount>("bufferedAmount"),
      getter<&Self::readable_amount>("readableAmount"),
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
