#include "binding/io_pool.h"

#include <algorithm>
#include <string>

#include "binding/core/failure.h"

namespace system_tls::binding {

using openssl::FailurePtr;

namespace {
// One is filled while another is on its way and a third is being handled.
constexpr std::size_t kSlabsPerThread = 3;
// More than any machine has use for, each with its stack and its slabs.
constexpr std::uint32_t kMostThreads = 256;

FailurePtr too_many(std::uint32_t most) {
  return openssl::named_failure("ERR_OUT_OF_RANGE", "An IoPool has at most " + std::to_string(most) + " threads");
}
FailurePtr no_memory() {
  return openssl::named_failure("ERR_TLS_INTERNAL", "There is no memory for the threads' events");
}
}  // namespace

std::unique_ptr<IoPoolHandle> IoPoolHandle::construct(const Call& call) {
  std::int32_t id = 0;
  std::uint32_t threads = 0;
  if (!call.read(0, "id", id) || !call.read(1, "threads", threads)) return nullptr;
  if (threads > kMostThreads) return throw_failure(call.env, too_many(kMostThreads)), nullptr;
  Delivery* delivery = Delivery::required(call.env);
  if (delivery == nullptr) return nullptr;
  std::vector<io::Slab> slabs;
  std::shared_ptr<io::IoPool> pool;
  FailurePtr failure = no_memory();
  if (delivery->add_slabs(threads * kSlabsPerThread, slabs)) {
    pool = io::IoPool::open(delivery->shared_from_this(), threads, slabs, failure);
  }
  if (!pool) {
    delivery->remove_slabs(slabs);
    throw_failure(call.env, failure);
    return nullptr;
  }
  delivery->add_pool(pool);
  return std::make_unique<IoPoolHandle>(delivery->shared_from_this(), std::move(pool), id);
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

// One that was retired and has not ended is as good as a new one.
napi_value IoPoolHandle::add_thread(const Call& call) {
  std::uint32_t most = 0;
  if (!call.read(0, "most", most)) return nullptr;
  if (closing_) return throw_failure(call.env, closed_failure());
  if (pool_->revive()) return undefined(call.env);
  // Those that are about to end are still there.
  most = std::min(most, kMostThreads);
  if (pool_->size() >= most) return throw_failure(call.env, too_many(most));
  std::vector<io::Slab> slabs;
  FailurePtr failure = no_memory();
  if (delivery_->add_slabs(kSlabsPerThread, slabs) && pool_->add(slabs, failure)) return undefined(call.env);
  delivery_->remove_slabs(slabs);
  return throw_failure(call.env, failure);
}

napi_value IoPoolHandle::retire_thread(const Call& call) {
  std::uint32_t index = 0;
  if (!call.read(0, "index", index)) return nullptr;
  return to_js(call.env, !closing_ && pool_->retire(index));
}

// Behind the last event of what has lived there: JavaScript may still look at their bytes until then.
void IoPoolHandle::end_vacant() {
  for (const std::shared_ptr<io::IoThread>& thread : pool_->ask_to_end()) {
    thread->ask_vacant(
        [pool = std::weak_ptr(pool_), delivery = delivery_, thread = std::weak_ptr(thread)](bool vacant) {
          const auto owner = pool.lock();
          const auto asked = thread.lock();
          if (owner && asked && owner->end(asked, vacant)) delivery->remove_slabs(asked->slabs());
        });
  }
}

napi_value IoPoolHandle::measure(const Call& call) {
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  if (closing_) return array;
  std::uint32_t index = 0;
  for (const double busy : pool_->measure()) {
    const auto& thread = pool_->threads()[index];
    napi_value load = nullptr;
    napi_create_object(call.env, &load);
    set_property(call.env, load, "busy", to_js(call.env, busy));
    set_property(call.env, load, "connections", to_js(call.env, thread->load()));
    set_property(call.env, load, "listeners", to_js(call.env, thread->users()));
    set_property(call.env, load, "retired", to_js(call.env, pool_->retired(index)));
    napi_set_element(call.env, array, index++, load);
  }
  end_vacant();
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
  if (pool_->stopped()) return;
  pool_->stop();
  for (const auto& thread : pool_->threads()) delivery_->remove_slabs(thread->slabs());
}

bool define_io_pool(napi_env env, napi_value exports) {
  return define_class<IoPoolHandle>(env, exports,
                                    {
                                        getter<&IoPoolHandle::connections>("connections"),
                                        method<&IoPoolHandle::add_thread>("addThread"),
                                        method<&IoPoolHandle::retire_thread>("retireThread"),
                                        method<&IoPoolHandle::measure>("measure"),
                                        method<&IoPoolHandle::close>("close"),
                                        method<&IoPoolHandle::stop>("stop"),
                                    });
}

}  // namespace system_tls::binding
