// NativeListener of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "io/listener.h"

namespace system_tls::binding {

class ListenerHandle {
 public:
  static constexpr const char* kName = "NativeListener";
  static constexpr ClassId kClass = ClassId::Listener;

  static std::unique_ptr<ListenerHandle> construct(const Call& call);
  explicit ListenerHandle(std::shared_ptr<io::Listener> listener) : listener_(std::move(listener)) {}
  ~ListenerHandle() { listener_->close(); }

  napi_value listen(const Call& call);
  napi_value address(const Call& call);
  napi_value close(const Call& call);
  napi_value refuse(const Call& call);
  napi_value ref(const Call& call);
  napi_value unref(const Call& call);

 private:
  std::shared_ptr<io::Listener> listener_;
};

bool define_listener(napi_env env, napi_value exports);

}  // namespace system_tls::binding
