#include "binding/io_pool.h"

#include <string>

#include "binding/core/failure.h"

namespace system_tls::binding {

using openssl::FailurePtr;

namespace {
// One is filled while another is on its way and a third is being handled.
constexpr std::size_t kSlabsPerThread = 3;
// More than any machine has use for, each with its stack and its slabs.
constexpr std::uint32_t kMostThreads = 256;
}  // namespace

std::unique_ptr<IoPoolHandle> IoPoolHandle::construct(const Call& call) {
  std::int32_t id = 0;
  std::uint32_t threads = 0;
  if (!call.read(0, "id", id) || !call.read(1, "threads", threads)) return nullptr;
  if (threads == 0 || threads > kMostThreads) {
    throw_failure(call.env, openssl::named_failure("ERR_OUT_OF_RANGE", "An IoPool has from 1 to " +
                                                                           std::to_string(kMostThreads) + " threads"));
    return nullptr;
  }
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  std::vector<io::Slab> slabs;
  std::shared_ptr<io::IoPool> pool;
  FailurePtr failure = openssl::named_failure("ERR_TLS_INTERNAL", "There is no memory for the threads' events");
  if (delivery->add_slabs(threads * kSlabsPerThread, slabs)) {
    pool = io::IoPool::open(delivery->shared_from_this(), threads, slabs, failure);
  }
  if (!pool) {
    delivery->remove_slabs(slabs);
    throw_failure(call.env, failure);
    return nullptr;
  }
  delivery->add_pool(pool);
  return std::make_unique<IoPoolHandle>(delivery->shared_from_this(), std::move(pool), std::move(slabs), id);
}

FailurePtr IoPoolHandle::closed_failure() { return openssl::named_failure("ERR_TLS_CLOSED", "The IoPool is closed"); }

napi_value IoPoolHandle::connections(const Call& call) {
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t index = 0;
  for (const auto& thread : pool_->threads())
    napi_set_element(call.env, array, index++, to_js(call.env, thread->load()));
  return array;
}

// The event operation_done follows when everything that lived here has heard of it; then stop() may be called.
napi_value IoPoolHandle::close(const Call& call) {
  if (std::exchange(closing_, true)) return undefined(call.env);
  const auto left = std::make_shared<std::size_t>(pool_->size());
  const auto told = [left, delivery = delivery_, id = id_] {
    if (--*left != 0) return;
    const Entry entry(*delivery);
    delivery->reactor()->record({id, io::EventKind::operation_done, 0, 0, 0});
  };
  const FailurePtr why = openssl::named_failure("ERR_TLS_CLOSED", "The connection ended because its IoPool was closed");
  for (const auto& thread : pool_->threads()) thread->evict(why, told);
  return undefined(call.env);
}

napi_value IoPoolHandle::stop(const Call& call) {
  end();
  return undefined(call.env);
}

void IoPoolHandle::end() {
  closing_ = true;
  pool_->stop();
  delivery_->remove_slabs(slabs_);
  slabs_.clear();
}

bool define_io_pool(napi_env env, napi_value exports) {
  return define_class<IoPoolHandle>(env, exports,
                                    {
                                        getter<&IoPoolHandle::connections>("connections"),
                                        method<&IoPoolHandle::close>("close"),
                                        method<&IoPoolHandle::stop>("stop"),
                                    });
}

}  // namespace system_tls::binding
