// What JavaScript asks about a connection. A closed one answers with what an unused one would.
#include <algorithm>

#include "binding/connection.h"
#include "binding/failure.h"
#include "binding/session.h"
#include "io/socket.h"
#include "openssl/encoding.h"

namespace system_tls::binding {

namespace {

openssl::Bytes der_of(const X509* certificate) {
  return certificate == nullptr ? openssl::Bytes() : openssl::to_der_bytes(certificate);
}

// SSL_get_finished(3) and SSL_get_peer_finished(3); empty before the handshake.
openssl::Bytes finished_of(const SSL* ssl, std::size_t (*get)(const SSL*, void*, std::size_t)) {
  openssl::Bytes bytes(EVP_MAX_MD_SIZE);
  bytes.resize(std::min(get(ssl, bytes.data(), bytes.size()), bytes.size()));
  return bytes;
}

// Leaf first.
std::vector<openssl::Bytes> peer_chain(const engine::Connection& connection) {
  std::vector<openssl::Bytes> chain;
  SSL* ssl = connection.ssl();
  // On a server, and there alone, the chain lacks the peer's own certificate (SSL_get_peer_cert_chain(3)).
  const X509* leaf = connection.server() ? SSL_get0_peer_certificate(ssl) : nullptr;
  if (leaf != nullptr) chain.push_back(der_of(leaf));
  const STACK_OF(X509)* sent = SSL_get_peer_cert_chain(ssl);
  for (int index = 0; index < sk_X509_num(sent); ++index) chain.push_back(der_of(sk_X509_value(sent, index)));
  return chain;
}

std::optional<std::string> alpn_of(const SSL* ssl) {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl, &name, &size);
  if (size == 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(name), size);
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
  const auto session = ask(std::shared_ptr<const openssl::Session>(), [](engine::Connection& connection) {
    const SSL_SESSION* current = SSL_get_session(connection.ssl());
    return current == nullptr ? nullptr : openssl::Session::copy(current);
  });
  return session ? session_to_js(call.env, session) : null(call.env);
}

napi_value ConnectionHandle::closed(const Call& call) { return to_js(call.env, access_->closed()); }

napi_value ConnectionHandle::established(const Call& call) {
  return to_js(call.env, ask(false, [](engine::Connection& connection) { return connection.established(); }));
}

napi_value ConnectionHandle::version(const Call& call) {
  return to_js(call.env, ask("unknown", [](engine::Connection& connection) {
                 return connection.established() ? SSL_get_version(connection.ssl()) : "unknown";
               }));
}

napi_value ConnectionHandle::cipher(const Call& call) {
  // Of the library's own table, which every thread may read.
  const SSL_CIPHER* cipher = ask(static_cast<const SSL_CIPHER*>(nullptr), [](engine::Connection& connection) {
    return SSL_get_current_cipher(connection.ssl());
  });
  napi_value object = nullptr;
  if (cipher == nullptr || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  set_property(call.env, object, "name", to_js(call.env, SSL_CIPHER_get_name(cipher)));
  set_property(call.env, object, "standardName", to_js(call.env, SSL_CIPHER_standard_name(cipher)));
  set_property(call.env, object, "version", to_js(call.env, SSL_CIPHER_get_version(cipher)));
  set_property(call.env, object, "bits", to_js(call.env, SSL_CIPHER_get_bits(cipher, nullptr)));
  return object;
}

napi_value ConnectionHandle::group(const Call& call) {
  const char* name = ask(static_cast<const char*>(nullptr), [](engine::Connection& connection) -> const char* {
    const long group = connection.established() ? SSL_get_negotiated_group(connection.ssl()) : 0;
    return group == 0 ? nullptr : SSL_group_to_name(connection.ssl(), static_cast<int>(group));
  });
  return to_js(call.env, name);
}

napi_value ConnectionHandle::alpn_protocol(const Call& call) {
  const auto name =
      ask(std::optional<std::string>(), [](engine::Connection& connection) { return alpn_of(connection.ssl()); });
  return name ? to_js(call.env, *name) : null(call.env);
}

napi_value ConnectionHandle::servername(const Call& call) {
  using Name = std::optional<std::string>;
  const Name name = ask(Name(), [](engine::Connection& connection) {
    const char* servername = SSL_get_servername(connection.ssl(), TLSEXT_NAMETYPE_host_name);
    return servername == nullptr ? Name() : Name(servername);
  });
  return name ? to_js(call.env, *name) : null(call.env);
}

napi_value ConnectionHandle::session_reused(const Call& call) {
  return to_js(call.env,
               ask(false, [](engine::Connection& connection) { return SSL_session_reused(connection.ssl()) != 0; }));
}

napi_value ConnectionHandle::security_level(const Call& call) {
  return to_js(call.env,
               ask(0, [](engine::Connection& connection) { return SSL_get_security_level(connection.ssl()); }));
}

napi_value ConnectionHandle::ktls(const Call& call) {
  std::optional<io::Channel::KernelTls> answer;
  access_->ask([&answer](io::Channel& channel) { answer = channel.kernel_tls(); });
  napi_value object = nullptr;
  if (!answer || napi_create_object(call.env, &object) != napi_ok) return null(call.env);
  const io::Channel::KernelTls& state = *answer;
  set_property(call.env, object, "send", to_js(call.env, state.sends));
  set_property(call.env, object, "receive", to_js(call.env, state.receives));
  set_property(call.env, object, "reason", state.reason.empty() ? null(call.env) : to_js(call.env, state.reason));
  return object;
}

napi_value ConnectionHandle::verify_result(const Call& call) {
  return to_js(call.env, ask(static_cast<long>(X509_V_OK),
                             [](engine::Connection& connection) { return SSL_get_verify_result(connection.ssl()); }));
}

napi_value ConnectionHandle::peer_certificate(const Call& call) {
  return bytes_or_null(call.env, ask(openssl::Bytes(), [](engine::Connection& connection) {
                         return der_of(SSL_get0_peer_certificate(connection.ssl()));
                       }));
}

napi_value ConnectionHandle::peer_certificate_chain(const Call& call) {
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t count = 0;
  for (const openssl::Bytes& der : ask(std::vector<openssl::Bytes>(), peer_chain)) {
    napi_set_element(call.env, array, count++, bytes_or_null(call.env, der));
  }
  return array;
}

napi_value ConnectionHandle::certificate(const Call& call) {
  return bytes_or_null(call.env, ask(openssl::Bytes(), [](engine::Connection& connection) {
                         return der_of(SSL_get_certificate(connection.ssl()));
                       }));
}

napi_value ConnectionHandle::client_ca_list(const Call& call) {
  const auto names = ask(std::vector<std::string>(), [](engine::Connection& connection) {
    std::vector<std::string> texts;
    const STACK_OF(X509_NAME)* list = SSL_get_client_CA_list(connection.ssl());
    for (int index = 0; index < sk_X509_NAME_num(list); ++index) {
      texts.push_back(openssl::name_text(sk_X509_NAME_value(list, index)));
    }
    return texts;
  });
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t count = 0;
  for (const std::string& name : names) napi_set_element(call.env, array, count++, to_js(call.env, name));
  return array;
}

napi_value ConnectionHandle::export_keying_material(const Call& call) {
  std::uint32_t length = 0;
  std::string label;
  View context;
  if (!call.read(0, "length", length) || !call.read(1, "label", label)) return nullptr;
  const bool use_context = !is_nullish(call.env, call[2]);
  if (use_context && !call.read(2, "context", context)) return nullptr;
  constexpr std::uint32_t kMost = 64 * 1024;
  openssl::Bytes material(std::min(length, kMost));
  const auto export_material = [&](engine::Connection& connection) -> openssl::FailurePtr {
    const openssl::ErrorScope errors;
    const int result = SSL_export_keying_material(connection.ssl(), material.data(), material.size(), label.data(),
                                                  label.size(), context.data(), context.size(), use_context ? 1 : 0);
    if (result == 1 && length <= kMost) return nullptr;
    return openssl::openssl_failure(
        "No keying material can be exported: it needs a completed handshake, a label that "
        "is not reserved and a length that the hash can give");
  };
  const openssl::FailurePtr failure =
      ask(openssl::named_failure("ERR_TLS_CLOSED", "The connection is closed"), export_material);
  return failure ? throw_failure(call.env, failure) : to_js(call.env, std::span<const std::uint8_t>(material));
}

napi_value ConnectionHandle::finished(const Call& call) {
  return bytes_or_null(call.env, ask(openssl::Bytes(), [](engine::Connection& connection) {
                         return finished_of(connection.ssl(), SSL_get_finished);
                       }));
}

napi_value ConnectionHandle::peer_finished(const Call& call) {
  return bytes_or_null(call.env, ask(openssl::Bytes(), [](engine::Connection& connection) {
                         return finished_of(connection.ssl(), SSL_get_peer_finished);
                       }));
}

napi_value ConnectionHandle::key_update_type(const Call& call) {
  return to_js(call.env, ask(SSL_KEY_UPDATE_NONE,
                             [](engine::Connection& connection) { return SSL_get_key_update_type(connection.ssl()); }));
}

napi_value ConnectionHandle::renegotiate_pending(const Call& call) {
  return to_js(call.env, ask(false, [](engine::Connection& connection) {
                 return SSL_renegotiate_pending(connection.ssl()) != 0;
               }));
}

napi_value ConnectionHandle::renegotiations(const Call& call) {
  return to_js(call.env, ask(0u, [](engine::Connection& connection) { return connection.renegotiations(); }));
}

napi_value ConnectionHandle::shutdown_state(const Call& call) {
  return to_js(call.env, ask(0, [](engine::Connection& connection) { return SSL_get_shutdown(connection.ssl()); }));
}

napi_value ConnectionHandle::quiet_shutdown(const Call& call) {
  return to_js(call.env, ask(false, [](engine::Connection& connection) {
                 return SSL_get_quiet_shutdown(connection.ssl()) != 0;
               }));
}

napi_value ConnectionHandle::buffered_amount(const Call& call) {
  return to_js(call.env,
               ask(std::size_t{0}, [](engine::Connection& connection) { return connection.enc().out.size(); }));
}

napi_value ConnectionHandle::readable_amount(const Call& call) {
  return to_js(call.env, ask(std::size_t{0}, [](engine::Connection& connection) { return connection.readable(); }));
}

napi_value ConnectionHandle::idle_time(const Call& call) { return to_js(call.env, access_->idle_time()); }

napi_value ConnectionHandle::state(const Call& call) {
  return to_js(call.env,
               ask("closed", [](engine::Connection& connection) { return SSL_state_string_long(connection.ssl()); }));
}

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
      method<&Self::certificate>("certificate"),
      method<&Self::client_ca_list>("clientCaList"),
      method<&Self::export_keying_material>("exportKeyingMaterial"),
      method<&Self::finished>("finished"),
      method<&Self::peer_finished>("peerFinished"),
      getter<&Self::key_update_type>("keyUpdateType"),
      getter<&Self::renegotiate_pending>("renegotiatePending"),
      getter<&Self::renegotiations>("renegotiations"),
      getter<&Self::shutdown_state>("shutdownState"),
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
