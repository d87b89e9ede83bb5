#include "binding/core/values.h"

namespace system_tls::binding {

namespace {

napi_valuetype type_of(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (value != nullptr) napi_typeof(env, value, &type);
  return type;
}

}  // namespace

bool is_nullish(napi_env env, napi_value value) {
  const napi_valuetype type = type_of(env, value);
  return type == napi_undefined || type == napi_null;
}

bool is_function(napi_env env, napi_value value) { return type_of(env, value) == napi_function; }

bool is_object(napi_env env, napi_value value) { return type_of(env, value) == napi_object; }

bool from_js(napi_env env, napi_value value, bool& out) { return napi_get_value_bool(env, value, &out) == napi_ok; }

bool from_js(napi_env env, napi_value value, double& out) { return napi_get_value_double(env, value, &out) == napi_ok; }

bool from_js(napi_env env, napi_value value, std::string& out) {
  std::size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) return false;
  // Node-API writes a terminating zero of its own; std::string has room for it behind its end.
  out.resize(length);
  return napi_get_value_string_utf8(env, value, out.data(), length + 1, &length) == napi_ok;
}

bool from_js(napi_env env, napi_value value, View& out) {
  bool is_view = false;
  // In Node these two take every ArrayBufferView; the second aborts when given anything else.
  if (value == nullptr || napi_is_buffer(env, value, &is_view) != napi_ok || !is_view) return false;
  void* data = nullptr;
  std::size_t length = 0;
  if (napi_get_buffer_info(env, value, &data, &length) != napi_ok) return false;
  out = data == nullptr ? View() : View(static_cast<std::uint8_t*>(data), length);
  return true;
}

napi_value undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

napi_value null(napi_env env) {
  napi_value result = nullptr;
  napi_get_null(env, &result);
  return result;
}

napi_value to_js(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value to_js(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value to_js(napi_env env, std::string_view value) {
  napi_value result = nullptr;
  const char* text = value.data() == nullptr ? "" : value.data();
  napi_create_string_utf8(env, text, value.size(), &result);
  return result;
}

napi_value to_js(napi_env env, std::span<const std::uint8_t> bytes) {
  napi_value result = nullptr;
  napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &result);
  return result;
}

void set_property(napi_env env, napi_value object, const char* name, napi_value value) {
  if (object != nullptr && value != nullptr) napi_set_named_property(env, object, name, value);
}

napi_value throw_type_error(napi_env env, const char* code, const std::string& message) {
  if (!exception_pending(env)) napi_throw_type_error(env, code, message.c_str());
  return nullptr;
}

napi_value throw_error(napi_env env, const char* code, const std::string& message) {
  if (!exception_pending(env)) napi_throw_error(env, code, message.c_str());
  return nullptr;
}

bool exception_pending(napi_env env) {
  bool pending = false;
  return napi_is_exception_pending(env, &pending) == napi_ok && pending;
}

}  // namespace system_tls::binding
