#include "binding/session.h"

#include "binding/core/failure.h"

namespace system_tls::binding {

std::unique_ptr<SessionHandle> SessionHandle::construct(const Call& call) {
  throw_type_error(call.env, "ERR_ILLEGAL_CONSTRUCTOR",
                   "Illegal constructor: sessions come from connections and from()");
  return nullptr;
}

napi_value SessionHandle::from(const Call& call) {
  View der;
  if (!call.read(0, "der", der)) return nullptr;
  auto [session, failure] = openssl::Session::from_der(der);
  if (failure != nullptr) return throw_failure(call.env, failure);
  return session_to_js(call.env, std::move(session));
}

napi_value SessionHandle::serialize(const Call& call) { return to_js(call.env, openssl::ByteView(session_->to_der())); }

napi_value SessionHandle::peer_certificate(const Call& call) {
  return bytes_or_null(call.env, session_->peer_certificate());
}

napi_value SessionHandle::ticket(const Call& call) { return bytes_or_null(call.env, session_->ticket()); }

napi_value SessionHandle::ticket_app_data(const Call& call) {
  const std::optional<openssl::ByteView> data = session_->ticket_app_data();
  return data ? to_js(call.env, *data) : null(call.env);
}

napi_value SessionHandle::id(const Call& call) { return to_js(call.env, session_->id()); }
napi_value SessionHandle::version(const Call& call) { return to_js(call.env, session_->version()); }
napi_value SessionHandle::cipher(const Call& call) { return to_js(call.env, session_->cipher()); }
napi_value SessionHandle::time(const Call& call) { return to_js(call.env, session_->time()); }
napi_value SessionHandle::timeout(const Call& call) { return to_js(call.env, session_->timeout()); }
napi_value SessionHandle::ticket_lifetime_hint(const Call& call) {
  return to_js(call.env, session_->ticket_lifetime_hint());
}
napi_value SessionHandle::has_ticket(const Call& call) { return to_js(call.env, session_->has_ticket()); }
napi_value SessionHandle::resumable(const Call& call) { return to_js(call.env, session_->resumable()); }
napi_value SessionHandle::policy(const Call& call) { return to_js(call.env, session_->policy()); }
napi_value SessionHandle::servername(const Call& call) { return to_js(call.env, session_->servername()); }
napi_value SessionHandle::alpn_protocol(const Call& call) { return to_js(call.env, session_->alpn_protocol()); }
napi_value SessionHandle::max_early_data(const Call& call) { return to_js(call.env, session_->max_early_data()); }
napi_value SessionHandle::verify_result(const Call& call) { return to_js(call.env, session_->verify_result()); }

napi_value session_to_js(napi_env env, std::shared_ptr<const openssl::Session> session) {
  if (session == nullptr) return null(env);
  return new_instance<SessionHandle>(env, std::make_unique<SessionHandle>(std::move(session)));
}

bool define_session(napi_env env, napi_value exports) {
  return define_class<SessionHandle>(env, exports,
                                     {
                                         static_method<&SessionHandle::from>("from"),
                                         method<&SessionHandle::serialize>("serialize"),
                                         method<&SessionHandle::peer_certificate>("peerCertificate"),
                                         method<&SessionHandle::ticket>("ticket"),
                                         method<&SessionHandle::ticket_app_data>("ticketAppData"),
                                         getter<&SessionHandle::id>("id"),
                                         getter<&SessionHandle::version>("version"),
                                         getter<&SessionHandle::cipher>("cipher"),
                                         getter<&SessionHandle::time>("time"),
                                         getter<&SessionHandle::timeout>("timeout"),
                                         getter<&SessionHandle::ticket_lifetime_hint>("ticketLifetimeHint"),
                                         getter<&SessionHandle::has_ticket>("hasTicket"),
                                         getter<&SessionHandle::resumable>("resumable"),
                                         getter<&SessionHandle::policy>("policy"),
                                         getter<&SessionHandle::servername>("servername"),
                                         getter<&SessionHandle::alpn_protocol>("alpnProtocol"),
                                         getter<&SessionHandle::max_early_data>("maxEarlyData"),
                                         getter<&SessionHandle::verify_result>("verifyResult"),
                                     });
}

}  // namespace system_tls::binding
