#include "binding/core/environment.h"

#include "binding/core/handle_registry.h"

namespace system_tls::binding {

namespace {
void destroy(napi_env, void* data, void*) { delete static_cast<Environment*>(data); }
}  // namespace

Environment::Environment(napi_env env) : handles(std::make_shared<HandleRegistry>()), env_(env) {}

bool Environment::create(napi_env env) {
  auto environment = std::make_unique<Environment>(env);
  if (napi_set_instance_data(env, environment.get(), destroy, nullptr) != napi_ok) return false;
  environment.release();
  return true;
}

Environment* Environment::of(napi_env env) noexcept {
  void* data = nullptr;
  if (napi_get_instance_data(env, &data) != napi_ok) return nullptr;
  return static_cast<Environment*>(data);
}

Environment::~Environment() {
  for (napi_ref reference : constructors_) {
    if (reference != nullptr) napi_delete_reference(env_, reference);
  }
  if (error_factory_ != nullptr) napi_delete_reference(env_, error_factory_);
}

void Environment::set_constructor(ClassId id, napi_value constructor) {
  replace(constructors_[static_cast<std::size_t>(id)], constructor);
}

napi_value Environment::constructor(ClassId id) const { return value_of(constructors_[static_cast<std::size_t>(id)]); }

void Environment::set_error_factory(napi_value function) { replace(error_factory_, function); }

napi_value Environment::error_factory() const { return value_of(error_factory_); }

void Environment::replace(napi_ref& reference, napi_value value) {
  if (reference != nullptr) napi_delete_reference(env_, reference);
  reference = nullptr;
  napi_create_reference(env_, value, 1, &reference);
}

napi_value Environment::value_of(napi_ref reference) const {
  napi_value value = nullptr;
  if (reference == nullptr || napi_get_reference_value(env_, reference, &value) != napi_ok) return nullptr;
  return value;
}

}  // namespace system_tls::binding
