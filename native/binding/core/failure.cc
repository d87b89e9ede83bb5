#include "binding/core/failure.h"

#include <openssl/x509_vfy.h>

#include "binding/core/environment.h"
#include "binding/core/values.h"
#include "binding/core/wrap.h"

namespace system_tls::binding {

namespace {

napi_value make_object(napi_env env) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  return object;
}

napi_value entry_to_object(napi_env env, const openssl::ErrorEntry& entry) {
  napi_value object = make_object(env);
  set_property(env, object, "libraryCode", to_js(env, entry.library));
  set_property(env, object, "reasonCode", to_js(env, entry.reason));
  set_property(env, object, "library", to_js(env, entry.library_name));
  set_property(env, object, "reason", to_js(env, entry.reason_text));
  set_property(env, object, "function", to_js(env, entry.function));
  set_property(env, object, "data", to_js(env, entry.data));
  return object;
}

napi_value errors_to_array(napi_env env, const openssl::ErrorList& errors) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, errors.size(), &array) != napi_ok) return nullptr;
  std::uint32_t index = 0;
  for (const openssl::ErrorEntry& entry : errors) {
    napi_value object = entry_to_object(env, entry);
    if (object != nullptr) napi_set_element(env, array, index++, object);
  }
  return array;
}

napi_value alert_to_object(napi_env env, const openssl::Alert& alert) {
  napi_value object = make_object(env);
  set_property(env, object, "level", to_js(env, alert.level));
  set_property(env, object, "description", to_js(env, alert.description));
  set_property(env, object, "received", to_js(env, alert.received));
  return object;
}

napi_value plain_error(napi_env env, const openssl::Failure& failure) {
  napi_value error = nullptr;
  napi_value code = failure.code.empty() ? nullptr : to_js(env, failure.code);
  napi_create_error(env, code, to_js(env, failure.message), &error);
  return error;
}

napi_value verify_result_text(const Call& call) {
  long code = 0;
  if (!call.read(0, "code", code)) return nullptr;
  return to_js(call.env, X509_verify_cert_error_string(code));
}

}  // namespace

napi_value failure_to_object(napi_env env, const openssl::Failure& failure) {
  napi_value object = make_object(env);
  if (!failure.code.empty()) set_property(env, object, "code", to_js(env, failure.code));
  set_property(env, object, "message", to_js(env, failure.message));
  if (failure.system_error != 0) {
    set_property(env, object, "errno", to_js(env, failure.system_error));
    set_property(env, object, "syscall", to_js(env, failure.syscall));
  }
  set_property(env, object, "errors", errors_to_array(env, failure.errors));
  if (failure.alert.description >= 0) set_property(env, object, "alert", alert_to_object(env, failure.alert));
  set_property(env, object, "verifyResult", to_js(env, failure.verify_result));
  if (failure.question != 0) set_property(env, object, "question", to_js(env, failure.question));
  return object;
}

napi_value failure_to_error(napi_env env, const openssl::Failure& failure) {
  Environment* environment = Environment::of(env);
  napi_value factory = environment == nullptr ? nullptr : environment->error_factory();
  if (factory == nullptr) return plain_error(env, failure);
  napi_value object = failure_to_object(env, failure);
  napi_value error = nullptr;
  if (object == nullptr) return nullptr;
  if (napi_call_function(env, undefined(env), factory, 1, &object, &error) != napi_ok) return nullptr;
  return error;
}

napi_value throw_failure(napi_env env, const openssl::FailurePtr& failure) {
  if (exception_pending(env)) return nullptr;
  napi_value error = failure_to_error(env, *failure);
  if (error != nullptr) napi_throw(env, error);
  return nullptr;
}

bool define_failure(napi_env env, napi_value exports) {
  return define_function<verify_result_text>(env, exports, "verifyResultText");
}

}  // namespace system_tls::binding
