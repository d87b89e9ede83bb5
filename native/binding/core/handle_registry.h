// Which native objects live behind handles of one environment.
//
// What napi_unwrap() gives may come from any addon: it is one of ours if it is the address of an object that lives and
// was registered here under the class that is asked for. That is as safe as a type tag, of which every call would read
// two private properties and a BigInt.
#pragma once

#include <unordered_map>

#include "binding/core/environment.h"

namespace system_tls::binding {

// Only the environment's own thread touches it. Finalizers share it: they may run after the Environment is gone.
class HandleRegistry {
 public:
  void add(const void* native, ClassId id) { classes_.emplace(native, id); }
  void remove(const void* native) { classes_.erase(native); }
  bool holds(const void* native, ClassId id) const {
    const auto found = classes_.find(native);
    return found != classes_.end() && found->second == id;
  }

 private:
  std::unordered_map<const void*, ClassId> classes_;
};

}  // namespace system_tls::binding
