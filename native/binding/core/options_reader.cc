#include "binding/core/options_reader.h"

namespace system_tls::binding {

OptionsReader::OptionsReader(napi_env env, napi_value object, std::string path)
    : env_(env), object_(object), path_(std::move(path)) {
  if (!is_object(env_, object_)) ok_ = fail(path_, "an object");
}

napi_value OptionsReader::get(const char* name) {
  if (!ok_) return nullptr;
  napi_value value = nullptr;
  ok_ = napi_get_named_property(env_, object_, name, &value) == napi_ok;
  return ok_ && !is_nullish(env_, value) ? value : nullptr;
}

OptionsReader& OptionsReader::reject(const char* name, const char* expected) {
  ok_ = fail(path_ + "." + name, expected);
  return *this;
}

bool OptionsReader::fail(const std::string& path, const char* expected) {
  throw_type_error(env_, "ERR_INVALID_ARG_TYPE", "The \"" + path + "\" property must be " + expected);
  return false;
}

}  // namespace system_tls::binding
