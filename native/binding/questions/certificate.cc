#include "binding/questions/certificate.h"

#include "binding/identity.h"
#include "engine/callbacks/certificate.h"

namespace system_tls::binding {

namespace {

template <typename Items>
napi_value array_of(napi_env env, const Items& items) {
  napi_value array = nullptr;
  if (napi_create_array(env, &array) != napi_ok) return null(env);
  std::uint32_t index = 0;
  for (const auto& item : items) napi_set_element(env, array, index++, to_js(env, item));
  return array;
}

}  // namespace

// NativeCertificateRequest.
napi_value certificate_to_js(napi_env env, const engine::Subject& subject) {
  const auto& request = static_cast<const engine::CertificateSubject&>(subject);
  const std::vector<std::int32_t> schemes(request.signature_schemes.begin(), request.signature_schemes.end());
  const std::vector<std::int32_t> types(request.types.begin(), request.types.end());
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return null(env);
  set_property(env, object, "signatureSchemes", array_of(env, schemes));
  set_property(env, object, "authorities", array_of(env, request.authorities));
  set_property(env, object, "types", array_of(env, types));
  return object;
}

// A number is 1, for the certificates that are there, or 0: the handshake fails.
bool read_certificate_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t result = 0;
  if (from_js(call.env, call[index], result)) {
    answer = engine::Answer::of(result);
    return true;
  }
  const auto* handle = unwrap<IdentityHandle>(call.env, call[index]);
  if (handle == nullptr) {
    call.reject("answer", "a number or an instance of NativeIdentity");
    return false;
  }
  answer.result = [identity = handle->identity()](SSL* ssl) { return engine::use_answer(ssl, *identity); };
  return true;
}

}  // namespace system_tls::binding
