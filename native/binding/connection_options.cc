#include "binding/connection_options.h"

#include "binding/core/options_reader.h"
#include "binding/credentials.h"
#include "binding/questions/psk.h"
#include "binding/server_names.h"

namespace system_tls::binding {

namespace {

// What hardly any connection has: each property that is looked for takes time in all of them.
bool read_handshake(napi_env env, napi_value object, engine::ConnectionOptions& engine) {
  OptionsReader reader(env, object, "options.handshake");
  reader.read("alpn", engine.alpn)
      .read("requestStatus", engine.request_status)
      .read("externalSessions", engine.external_sessions)
      .read("ticketCount", engine.ticket_count)
      .read("pskHint", engine.psk_hint)
      .read("pskRequired", engine.psk_required);
  read_preshared_keys(reader, engine.psks);
  return reader.ok();
}

}  // namespace

bool read_connection_options(napi_env env, napi_value object, ConnectionOptions& options) {
  OptionsReader reader(env, object, "options");
  engine::ConnectionOptions& engine = options.engine;
  std::int64_t window = engine.limits.renegotiation_window.count();
  reader.read("server", engine.server)
      .read("servername", engine.servername)
      .read("verifyHost", engine.verify_host)
      .read("verifyMode", engine.verify_mode)
      .read("verifyContinue", engine.verify_continue)
      .read("asks", engine.asks)
      .read("sessionPolicy", engine.session_policy)
      .read("verifyDepth", engine.verify_depth)
      .read("ktls", engine.ktls)
      .read("dynamicRecordSizing", engine.dynamic_record_sizing)
      .read("mtu", engine.mtu)
      .read("cookieVerified", engine.cookie_verified)
      .read("ticketsToo", engine.tickets_too)
      .read("staplesAnything", engine.staples_anything)
      .read("outMark", engine.limits.out_mark)
      .read("readAhead", engine.limits.read_ahead)
      .read("keyUpdateLimit", engine.limits.key_updates)
      .read("renegotiationLimit", engine.limits.renegotiations)
      .read("renegotiationWindow", window);
  engine.limits.renegotiation_window = std::chrono::milliseconds(window);
  read_credentials(reader, options.credentials);
  if (napi_value handshake = reader.get("handshake"); handshake != nullptr && !read_handshake(env, handshake, engine)) {
    return false;
  }
  if (napi_value names = reader.get("serverNames")) {
    const auto* handle = unwrap<ServerNamesHandle>(env, names);
    if (handle == nullptr) return reader.reject("serverNames", "an instance of NativeServerNames"), false;
    engine.names = handle->names();
  }
  return reader.ok();
}

std::unique_ptr<SharedOptionsHandle> SharedOptionsHandle::construct(const Call& call) {
  auto options = std::make_shared<ConnectionOptions>();
  if (!read_connection_options(call.env, call[0], *options)) return nullptr;
  return std::make_unique<SharedOptionsHandle>(std::move(options));
}

bool define_shared_options(napi_env env, napi_value exports) {
  return define_class<SharedOptionsHandle>(env, exports, {});
}

}  // namespace system_tls::binding
