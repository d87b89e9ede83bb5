#include "binding/core/wrap.h"

namespace system_tls::binding {

Call::Call(napi_env call_env, napi_callback_info info) : env(call_env) {
  count = kMaxArguments;
  if (napi_get_cb_info(env, info, &count, arguments_.data(), &self, nullptr) != napi_ok) count = 0;
}

void Call::reject(const char* name, const char* expected) const {
  throw_type_error(env, "ERR_INVALID_ARG_TYPE", std::string("The \"") + name + "\" argument must be " + expected);
}

namespace {

bool is_static(const napi_property_descriptor& descriptor) { return (descriptor.attributes & napi_static) != 0; }

// Methods are defined on the prototype rather than through napi_define_class: the latter would let V8 refuse a wrong
// receiver with an error that has no code, before receiver() can name it.
bool define_members(napi_env env, napi_value constructor, const std::vector<napi_property_descriptor>& properties) {
  std::vector<napi_property_descriptor> members;
  std::vector<napi_property_descriptor> statics;
  for (napi_property_descriptor descriptor : properties) {
    auto& target = is_static(descriptor) ? statics : members;
    descriptor.attributes = static_cast<napi_property_attributes>(descriptor.attributes & ~napi_static);
    target.push_back(descriptor);
  }
  napi_value prototype = nullptr;
  return napi_get_named_property(env, constructor, "prototype", &prototype) == napi_ok &&
         napi_define_properties(env, prototype, members.size(), members.data()) == napi_ok &&
         napi_define_properties(env, constructor, statics.size(), statics.data()) == napi_ok;
}

}  // namespace

bool define_constructor(napi_env env, napi_value exports, ClassId id, const char* name, napi_callback constructor,
                        const std::vector<napi_property_descriptor>& properties) {
  Environment* environment = Environment::of(env);
  if (environment == nullptr) {
    throw_error(env, "ERR_INTERNAL_ASSERTION", "Environment::create() comes before the classes");
    return false;
  }
  napi_value function = nullptr;
  if (napi_define_class(env, name, NAPI_AUTO_LENGTH, constructor, nullptr, 0, nullptr, &function) != napi_ok)
    return false;
  if (!define_members(env, function, properties)) return false;
  environment->set_constructor(id, function);
  return napi_set_named_property(env, exports, name, function) == napi_ok;
}

bool define_function(napi_env env, napi_value exports, const char* name, napi_callback function) {
  napi_value value = nullptr;
  return napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value) == napi_ok &&
         napi_set_named_property(env, exports, name, value) == napi_ok;
}

}  // namespace system_tls::binding
