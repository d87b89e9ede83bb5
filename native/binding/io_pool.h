// NativeIoPool of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "binding/core/delivery.h"
#include "binding/core/wrap.h"
#include "io/threads/io_pool.h"

namespace system_tls::binding {

class IoPoolHandle {
 public:
  static constexpr const char* kName = "NativeIoPool";
  static constexpr ClassId kClass = ClassId::IoPool;

  static std::unique_ptr<IoPoolHandle> construct(const Call& call);
  IoPoolHandle(std::shared_ptr<Delivery> delivery, std::shared_ptr<io::IoPool> pool, std::int32_t id)
      : delivery_(std::move(delivery)), pool_(std::move(pool)), id_(id) {}
  // A finalizer: no connection is there any more, so the threads have nothing to do and end at once.
  ~IoPoolHandle() { end(); }

  static openssl::FailurePtr closed_failure();
  // The thread of the next connection; null once closed.
  std::shared_ptr<io::IoThread> choose() const { return closing_ ? nullptr : pool_->choose(); }

  napi_value connections(const Call& call);
  napi_value add_thread(const Call& call);
  napi_value retire_thread(const Call& call);
  napi_value measure(const Call& call);
  napi_value close(const Call& call);
  napi_value stop(const Call& call);

 private:
  void end();
  void end_vacant();

  std::shared_ptr<Delivery> delivery_;
  std::shared_ptr<io::IoPool> pool_;
  const std::int32_t id_;
  bool closing_ = false;
};

bool define_io_pool(napi_env env, napi_value exports);

}  // namespace system_tls::binding
