// What belongs to one JavaScript environment: the main thread and each worker have their own.
#pragma once

#include <node_api.h>

#include <array>
#include <cstddef>
#include <memory>

namespace system_tls::binding {

class Delivery;
class HandleRegistry;

// The classes that this addon wraps; each has one constructor per environment.
enum class ClassId : std::size_t {
  Context,
  Session,
  Bio,
  Connection,
  SharedOptions,
  Listener,
  IoPool,
  File,
  ServerNames,
  Identity,
  TicketKeyRing,
  Count
};

class Environment {
 public:
  explicit Environment(napi_env env);
  ~Environment();
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // To be called once, when the addon is initialised in this environment. False: Node-API refused.
  static bool create(napi_env env);
  // Null before create() and once the environment is gone. A finalizer must not rely on it: it may run later than this
  // data's end. Let the wrapped object share what it needs instead.
  static Environment* of(napi_env env) noexcept;

  void set_constructor(ClassId id, napi_value constructor);
  // Null if the class was not defined.
  napi_value constructor(ClassId id) const;

  // The function that makes an Error of a NativeFailure (see setDispatch in types/binding.d.ts).
  void set_error_factory(napi_value function);
  // Null before it was set.
  napi_value error_factory() const;

  // What lives behind this environment's handles.
  const std::shared_ptr<HandleRegistry> handles;

  // Set by setDispatch().
  std::shared_ptr<Delivery> delivery;

  // What new_instance() hands to the constructor that it calls; null at any other time.
  void* adopted = nullptr;

 private:
  void replace(napi_ref& reference, napi_value value);
  napi_value value_of(napi_ref reference) const;

  napi_env env_;
  std::array<napi_ref, static_cast<std::size_t>(ClassId::Count)> constructors_{};
  napi_ref error_factory_ = nullptr;
};

}  // namespace system_tls::binding
