// NativeListener of types/binding.d.ts.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "binding/core/delivery.h"
#include "binding/core/wrap.h"
#include "io/listener.h"
#include "io/threads/io_thread.h"

namespace system_tls::binding {

class ListenerHandle {
 public:
  static constexpr const char* kName = "NativeListener";
  static constexpr ClassId kClass = ClassId::Listener;

  static std::unique_ptr<ListenerHandle> construct(const Call& call);
  // `thread`: where it accepts; null for the loop.
  ListenerHandle(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::IoThread> thread, std::int32_t id)
      : delivery_(std::move(delivery)), thread_(std::move(thread)), id_(id) {
    if (thread_) thread_->add_user(1);
  }
  // A finalizer: nothing here runs JavaScript.
  ~ListenerHandle();

  napi_value listen(const Call& call);
  napi_value address(const Call& call);
  napi_value close(const Call& call);
  napi_value refuse(const Call& call);
  napi_value give_up(const Call& call);
  napi_value ref(const Call& call);
  napi_value unref(const Call& call);

 private:
  template <typename Function>
  bool run(Function function);
  void stop();
  void leave_thread();
  void set_ref(bool on);
  openssl::FailurePtr listen_at(const io::ListenOptions& options);

  const std::shared_ptr<Delivery> delivery_;
  const std::shared_ptr<io::IoThread> thread_;
  const std::int32_t id_;
  bool left_ = false;
  // Made, used and destroyed where it accepts.
  std::shared_ptr<io::Listener> listener_;
  // While it listens.
  std::optional<io::Address> address_;
};

bool define_listener(napi_env env, napi_value exports);

}  // namespace system_tls::binding
