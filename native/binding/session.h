// NativeSession of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "openssl/session/session.h"

namespace system_tls::binding {

class SessionHandle {
 public:
  static constexpr const char* kName = "NativeSession";
  static constexpr ClassId kClass = ClassId::Session;

  // JavaScript makes none; from() and connections do.
  static std::unique_ptr<SessionHandle> construct(const Call& call);
  static napi_value from(const Call& call);

  explicit SessionHandle(std::shared_ptr<const openssl::Session> session) : session_(std::move(session)) {}

  const std::shared_ptr<const openssl::Session>& session() const { return session_; }

  napi_value serialize(const Call& call);
  napi_value peer_certificate(const Call& call);
  napi_value ticket(const Call& call);
  napi_value ticket_app_data(const Call& call);

  napi_value id(const Call& call);
  napi_value version(const Call& call);
  napi_value cipher(const Call& call);
  napi_value time(const Call& call);
  napi_value timeout(const Call& call);
  napi_value ticket_lifetime_hint(const Call& call);
  napi_value has_ticket(const Call& call);
  napi_value resumable(const Call& call);
  napi_value policy(const Call& call);
  napi_value servername(const Call& call);
  napi_value alpn_protocol(const Call& call);
  napi_value max_early_data(const Call& call);
  napi_value verify_result(const Call& call);

 private:
  std::shared_ptr<const openssl::Session> session_;
};

// A NativeSession around a session; null in JavaScript if there is none.
napi_value session_to_js(napi_env env, std::shared_ptr<const openssl::Session> session);

// False: an exception is pending.
bool define_session(napi_env env, napi_value exports);

}  // namespace system_tls::binding
