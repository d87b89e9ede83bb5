// What belongs to one JavaScript environment: the main thread and each worker have their own.
#pragma once

#include <napi.h>

#include <memory>
#include <vector>

namespace system_tls::binding {

// Holds one object of each type that a part of the binding asks for; made on first use, destroyed with the environment
// in the reverse order.
class EnvironmentData {
 public:
  EnvironmentData() = default;
  EnvironmentData(const EnvironmentData&) = delete;
  EnvironmentData& operator=(const EnvironmentData&) = delete;
  ~EnvironmentData() {
    while (!slots_.empty()) slots_.pop_back();
  }

  template <typename T>
  T& get() {
    for (const Slot& slot : slots_) {
      if (slot.key == &key<T>) return *static_cast<T*>(slot.object.get());
    }
    slots_.push_back({&key<T>, std::shared_ptr<void>(std::make_shared<T>())});
    return *static_cast<T*>(slots_.back().object.get());
  }

 private:
  struct Slot {
    const void* key;
    std::shared_ptr<void> object;
  };
  template <typename T>
  static inline const char key = 0;

  std::vector<Slot> slots_;
};

// The object of this type that belongs to the environment.
template <typename T>
T& environment_data(Napi::Env env) {
  return env.GetInstanceData<EnvironmentData>()->template get<T>();
}

}  // namespace system_tls::binding
