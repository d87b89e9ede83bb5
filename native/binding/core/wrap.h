// Native classes as JavaScript sees them.
//
// A wrapped class T says
//   static constexpr const char* kName = "NativeThing";
//   static constexpr ClassId kClass = ClassId::Thing;
//   static std::unique_ptr<T> construct(const Call& call);                // null: an exception is pending
//   napi_value read(const Call& call);                                    // methods and getters
//   static constexpr std::int64_t kExternalMemory = 16 * 1024;            // optional: bytes that V8 does not see
// and is registered with
//   define_class<T>(env, exports, {method<&T::read>("read"), getter<&T::version>("version")});
//
// Node-API checks neither the receiver of an accessor nor any argument, and V8's own check of a method's receiver gives
// an error without a code, so each of them is checked here (handle_registry.h) before it is used. T's destructor runs
// in a finalizer: perhaps long after teardown of the environment has begun, and without any right to call JavaScript.
#pragma once

#include <node_api.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "binding/core/environment.h"
#include "binding/core/handle_registry.h"
#include "binding/core/values.h"

namespace system_tls::binding {

// One call from JavaScript: its receiver and its arguments, of which absent ones are undefined.
class Call {
 public:
  static constexpr std::size_t kMaxArguments = 6;

  Call(napi_env env, napi_callback_info info);

  napi_env env;
  napi_value self = nullptr;
  std::size_t count = 0;

  napi_value operator[](std::size_t index) const { return arguments_[index]; }

  // Reads an argument. False: ERR_INVALID_ARG_TYPE is thrown, which names it.
  template <typename T>
  bool read(std::size_t index, const char* name, T& out) const {
    if (from_js(env, arguments_[index], out)) return true;
    reject(name, type_name<T>());
    return false;
  }

  // Throws ERR_INVALID_ARG_TYPE.
  void reject(const char* name, const char* expected) const;

 private:
  std::array<napi_value, kMaxArguments> arguments_{};
};

// The native object behind `value`, or null, without an exception, if `value` is anything else than a T.
template <typename T>
T* unwrap(napi_env env, napi_value value) {
  const Environment* environment = Environment::of(env);
  void* native = nullptr;
  if (environment == nullptr || value == nullptr || napi_unwrap(env, value, &native) != napi_ok) return nullptr;
  return environment->handles->holds(native, T::kClass) ? static_cast<T*>(native) : nullptr;
}

// The receiver; null: ERR_INVALID_THIS is thrown.
template <typename T>
T* receiver(const Call& call) {
  T* native = unwrap<T>(call.env, call.self);
  if (native == nullptr) {
    throw_type_error(call.env, "ERR_INVALID_THIS", std::string("Value of \"this\" must be of type ") + T::kName);
  }
  return native;
}

// An argument that must be a handle of ours; null: ERR_INVALID_ARG_TYPE is thrown.
template <typename T>
T* handle_argument(const Call& call, std::size_t index, const char* name) {
  T* native = unwrap<T>(call.env, call[index]);
  if (native == nullptr) call.reject(name, (std::string("an instance of ") + T::kName).c_str());
  return native;
}

// ---------------------------------------------------------------------------------------------------------------------
// Entry points

template <typename Pointer>
struct MemberOf;
template <typename T>
struct MemberOf<napi_value (T::*)(const Call&)> {
  using Class = T;
};

template <auto Member>
napi_value enter_member(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  auto* self = receiver<typename MemberOf<decltype(Member)>::Class>(call);
  return self == nullptr ? nullptr : (self->*Member)(call);
}

template <napi_value (*Function)(const Call&)>
napi_value enter_function(napi_env env, napi_callback_info info) {
  return Function(Call(env, info));
}

// Without it V8 would let thousands of small objects with large native parts live on.
template <typename T>
void account_memory(napi_env env, int sign) {
  if constexpr (requires { T::kExternalMemory; }) {
    std::int64_t total = 0;
    napi_adjust_external_memory(env, sign * T::kExternalMemory, &total);
  }
}

// What a handle owns.
template <typename T>
struct Wrapped {
  // Spelt out: Clang 14 has no aggregates in parentheses, which make_unique() needs.
  Wrapped(std::unique_ptr<T> wrapped, std::shared_ptr<HandleRegistry> known_to)
      : native(std::move(wrapped)), registry(std::move(known_to)) {}

  std::unique_ptr<T> native;
  std::shared_ptr<HandleRegistry> registry;
};

template <typename T>
void finalize(napi_env env, void* native, void* hint) {
  const std::unique_ptr<Wrapped<T>> wrapped(static_cast<Wrapped<T>*>(hint));
  wrapped->registry->remove(native);
  wrapped->native.reset();
  account_memory<T>(env, -1);
}

// True once `native` belongs to `object`; otherwise it is destroyed.
template <typename T>
bool attach(napi_env env, napi_value object, std::unique_ptr<T> native) {
  const Environment* environment = Environment::of(env);
  if (environment == nullptr) return false;
  T* address = native.get();
  auto wrapped = std::make_unique<Wrapped<T>>(std::move(native), environment->handles);
  if (napi_wrap(env, object, address, finalize<T>, wrapped.get(), nullptr) != napi_ok) return false;
  environment->handles->add(address, T::kClass);
  wrapped.release();
  account_memory<T>(env, 1);
  return true;
}

template <typename T>
napi_value enter_constructor(napi_env env, napi_callback_info info) {
  const Call call(env, info);
  napi_value target = nullptr;
  if (napi_get_new_target(env, info, &target) != napi_ok || target == nullptr) {
    return throw_type_error(env, "ERR_CONSTRUCT_CALL_REQUIRED", std::string(T::kName) + " must be called with new");
  }
  Environment* environment = Environment::of(env);
  void* adopted = environment == nullptr ? nullptr : std::exchange(environment->adopted, nullptr);
  std::unique_ptr<T> native = adopted != nullptr ? std::unique_ptr<T>(static_cast<T*>(adopted)) : T::construct(call);
  if (native == nullptr || !attach<T>(env, call.self, std::move(native))) return nullptr;
  return call.self;
}

// An object of class T around what native code made. Null: an exception is pending or nothing can run any more.
template <typename T>
napi_value new_instance(napi_env env, std::unique_ptr<T> native) {
  Environment* environment = Environment::of(env);
  napi_value constructor = environment == nullptr ? nullptr : environment->constructor(T::kClass);
  if (constructor == nullptr) return nullptr;
  napi_value instance = nullptr;
  environment->adopted = native.release();
  const napi_status status = napi_new_instance(env, constructor, 0, nullptr, &instance);
  // Still there: the constructor never ran (a worker that is being terminated).
  std::unique_ptr<T> left(static_cast<T*>(std::exchange(environment->adopted, nullptr)));
  return status == napi_ok ? instance : nullptr;
}

// ---------------------------------------------------------------------------------------------------------------------
// Registration

constexpr napi_property_descriptor describe(const char* name) {
  napi_property_descriptor descriptor{};
  descriptor.utf8name = name;
  descriptor.attributes = napi_configurable;
  return descriptor;
}

template <auto Member>
napi_property_descriptor method(const char* name) {
  napi_property_descriptor descriptor = describe(name);
  descriptor.method = enter_member<Member>;
  descriptor.attributes = napi_default_method;
  return descriptor;
}

template <auto Getter>
napi_property_descriptor getter(const char* name) {
  napi_property_descriptor descriptor = describe(name);
  descriptor.getter = enter_member<Getter>;
  return descriptor;
}

template <napi_value (*Function)(const Call&)>
napi_property_descriptor static_method(const char* name) {
  napi_property_descriptor descriptor = describe(name);
  descriptor.method = enter_function<Function>;
  descriptor.attributes = static_cast<napi_property_attributes>(napi_default_method | napi_static);
  return descriptor;
}

// False: an exception is pending.
bool define_constructor(napi_env env, napi_value exports, ClassId id, const char* name, napi_callback constructor,
                        const std::vector<napi_property_descriptor>& properties);
// exports[name] = function.
bool define_function(napi_env env, napi_value exports, const char* name, napi_callback function);

template <typename T>
bool define_class(napi_env env, napi_value exports, const std::vector<napi_property_descriptor>& properties) {
  return define_constructor(env, exports, T::kClass, T::kName, enter_constructor<T>, properties);
}

// exports[name] = a function without a receiver of ours.
template <napi_value (*Function)(const Call&)>
bool define_function(napi_env env, napi_value exports, const char* name) {
  return define_function(env, exports, name, enter_function<Function>);
}

}  // namespace system_tls::binding
