#include "binding/questions/status.h"

#include "engine/callbacks/certificate.h"
#include "engine/callbacks/status.h"

namespace system_tls::binding {

// NativeStatusRequest.
napi_value status_request_to_js(napi_env env, const engine::Subject& subject) {
  const auto& request = static_cast<const engine::StatusRequestSubject&>(subject);
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return null(env);
  set_property(env, object, "certificate", to_js(env, request.certificate));
  set_property(env, object, "issuer", bytes_or_null(env, request.issuer));
  return object;
}

// A number is 1, for no response, or 0: the handshake fails.
bool read_status_request_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t result = 0;
  if (from_js(call.env, call[index], result)) {
    answer = engine::Answer::of(result);
    return true;
  }
  View response;
  if (!call.read(index, "answer", response)) return false;
  answer.result = [bytes = openssl::Bytes(response.begin(), response.end())](SSL* ssl) {
    return engine::keep_response(ssl, bytes);
  };
  return true;
}

napi_value status_to_js(napi_env env, const engine::Subject& subject) {
  return bytes_or_null(env, static_cast<const engine::StatusSubject&>(subject).response);
}

bool read_status_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t result = 0;
  if (!call.read(index, "answer", result)) return false;
  answer = engine::Answer::of(result);
  return true;
}

}  // namespace system_tls::binding
