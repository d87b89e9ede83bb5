#include "binding/core/delivery.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>
#include <utility>

#include "binding/channel_access.h"
#include "binding/core/failure.h"
#include "binding/lent_bytes.h"
#include "binding/questions.h"
#include "binding/session.h"

namespace system_tls::binding {

namespace {

constexpr std::size_t kSlab = 256 * 1024;
constexpr std::size_t kIntegersPerEvent = sizeof(io::Event) / sizeof(std::int32_t);

class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;

 private:
  napi_env env_;
  napi_handle_scope scope_ = nullptr;
};

napi_value value_of(napi_env env, napi_ref reference) {
  napi_value value = nullptr;
  napi_get_reference_value(env, reference, &value);
  return value;
}

// An exception left pending would swallow everything that comes after it.
void report_exception(napi_env env) {
  napi_value error = nullptr;
  if (!exception_pending(env) || napi_get_and_clear_last_exception(env, &error) != napi_ok) return;
  napi_fatal_exception(env, error);
}

// Memory of JavaScript's own, as an array of T. Null: it cannot be had.
template <typename T>
napi_value typed_array(napi_env env, napi_typedarray_type type, std::size_t length, T*& data) {
  void* memory = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, length * sizeof(T), &memory, &buffer) != napi_ok) return nullptr;
  if (napi_create_typedarray(env, type, length, buffer, 0, &array) != napi_ok) return nullptr;
  data = static_cast<T*>(memory);
  return array;
}

napi_value message_to_js(napi_env env, const io::MessagePayload& message) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  set_property(env, object, "sent", to_js(env, message.sent));
  set_property(env, object, "version", to_js(env, message.version));
  set_property(env, object, "contentType", to_js(env, message.content_type));
  set_property(env, object, "data", to_js(env, std::span<const std::uint8_t>(message.bytes)));
  return object;
}

napi_value payload_to_js(napi_env env, io::Payload& payload) {
  if (auto* failure = std::get_if<openssl::FailurePtr>(&payload)) return failure_to_object(env, **failure);
  if (auto* line = std::get_if<std::string>(&payload)) return to_js(env, *line);
  if (auto* message = std::get_if<io::MessagePayload>(&payload)) return message_to_js(env, *message);
  if (auto* subject = std::get_if<std::shared_ptr<const engine::Subject>>(&payload))
    return question_to_js(env, **subject);
  if (auto* bytes = std::get_if<openssl::Bytes>(&payload)) return to_js(env, openssl::ByteView(*bytes));
  auto& session = std::get<openssl::SessionPtr>(payload);
  return session ? session_to_js(env, std::make_shared<const openssl::Session>(std::move(session))) : null(env);
}

}  // namespace

Delivery* Delivery::of(napi_env env) noexcept {
  Environment* environment = Environment::of(env);
  return environment == nullptr ? nullptr : environment->delivery.get();
}

Delivery* Delivery::required(napi_env env) {
  Delivery* delivery = of(env);
  if (delivery != nullptr && !delivery->reactor_->closed()) return delivery;
  throw_error(env, "ERR_TLS_CLOSED", "The environment is shutting down, or setDispatch() was not called");
  return nullptr;
}

napi_value Delivery::set_dispatch(const Call& call) {
  Environment* environment = Environment::of(call.env);
  if (environment == nullptr) return nullptr;
  if (!is_function(call.env, call[0])) return call.reject("dispatch", "a function"), nullptr;
  if (!is_function(call.env, call[1])) return call.reject("makeError", "a function"), nullptr;
  if (environment->delivery) return throw_error(call.env, "ERR_TLS_INTERNAL", "setDispatch() may be called once");
  auto delivery = std::make_shared<Delivery>(call.env);
  napi_value result = nullptr;
  napi_value state = typed_array(call.env, napi_int32_array, kStates, delivery->state_);
  const bool opened = state != nullptr &&
                      napi_create_reference(call.env, state, 1, &delivery->state_reference_) == napi_ok &&
                      napi_create_object(call.env, &result) == napi_ok && delivery->open(call[0]);
  if (!opened) return throw_error(call.env, "ERR_TLS_INTERNAL", "The event delivery could not be set up");
  set_property(call.env, result, "state", state);
  set_property(call.env, result, "events", value_of(call.env, delivery->events_));
  set_property(call.env, result, "gathered", value_of(call.env, delivery->gathered_reference_));
  set_property(call.env, result, "lends", to_js(call.env, delivery->lends_));
  environment->set_error_factory(call[1]);
  environment->delivery = std::move(delivery);
  return result;
}

bool Delivery::open(napi_value dispatch) {
  napi_value resource = nullptr;
  napi_value name = to_js(env_, "system-tls");
  return napi_create_reference(env_, dispatch, 1, &dispatch_) == napi_ok &&
         napi_create_object(env_, &resource) == napi_ok &&
         napi_create_reference(env_, resource, 1, &resource_) == napi_ok &&
         napi_async_init(env_, resource, name, &context_) == napi_ok && open_reactor();
}

// Views of slabs are lent to users, who can detach them, while a thread writes there: the memory belongs to whoever is
// left. Null: this runtime permits no memory from outside.
napi_value Delivery::lendable_memory(io::Slab& slab) {
  // Cleared: who is lent a part can see all of it.
  const std::shared_ptr<std::uint8_t[]> memory(new std::uint8_t[kSlab]());
  auto share = std::make_unique<std::shared_ptr<void>>(memory);
  const auto drop = [](napi_env, void*, void* shared) {
    const std::unique_ptr<std::shared_ptr<void>> owner(static_cast<std::shared_ptr<void>*>(shared));
  };
  napi_value buffer = nullptr;
  if (!memory || napi_create_external_arraybuffer(env_, memory.get(), kSlab, drop, share.get(), &buffer) != napi_ok)
    return nullptr;
  share.release();
  slab.bytes = {memory.get(), kSlab};
  slab.owner = memory;
  return buffer;
}

bool Delivery::make_slab(io::Slab& slab) {
  void* memory = nullptr;
  napi_value buffer = lendable_memory(slab);
  napi_value bytes = nullptr;
  napi_ref reference = nullptr;
  if (buffer == nullptr) {
    lends_ = false;
    if (napi_create_arraybuffer(env_, kSlab, &memory, &buffer) != napi_ok) return false;
    slab.bytes = {static_cast<std::uint8_t*>(memory), kSlab};
  }
  if (napi_create_typedarray(env_, napi_uint8_array, kSlab, buffer, 0, &bytes) != napi_ok) return false;
  if (napi_create_reference(env_, bytes, 1, &reference) != napi_ok) return false;
  const auto free_place = std::find(slabs_.begin(), slabs_.end(), nullptr);
  slab.id = static_cast<std::int32_t>(free_place - slabs_.begin());
  if (free_place == slabs_.end()) {
    slabs_.push_back(reference);
  } else {
    *free_place = reference;
  }
  return true;
}

bool Delivery::add_slabs(std::size_t count, std::vector<io::Slab>& slabs) {
  for (std::size_t index = 0; index < count; ++index) {
    if (!make_slab(slabs.emplace_back())) return false;
  }
  return true;
}

void Delivery::remove_slabs(std::span<const io::Slab> slabs) {
  for (const io::Slab& slab : slabs) {
    const auto place = static_cast<std::size_t>(slab.id);
    if (slab.id < 0 || place >= slabs_.size() || slabs_[place] == nullptr) continue;
    napi_delete_reference(env_, std::exchange(slabs_[place], nullptr));
  }
}

void Delivery::add_pool(const std::shared_ptr<io::IoPool>& pool) {
  std::erase_if(pools_, [](const std::weak_ptr<io::IoPool>& each) { return each.expired(); });
  pools_.push_back(pool);
}

bool Delivery::make_gathered() {
  napi_value bytes = typed_array(env_, napi_uint8_array, kGathered, gathered_);
  return bytes != nullptr && napi_create_reference(env_, bytes, 1, &gathered_reference_) == napi_ok;
}

bool Delivery::open_reactor() {
  uv_loop_t* loop = nullptr;
  std::vector<io::Slab> slabs;
  napi_value events = typed_array(env_, napi_int32_array, kEventsAtOnce * kIntegersPerEvent, numbers_);
  if (events == nullptr || napi_create_reference(env_, events, 1, &events_) != napi_ok) return false;
  if (!make_gathered() || !add_slabs(2, slabs) || napi_get_uv_event_loop(env_, &loop) != napi_ok) return false;
  // An open handle at the end of a worker aborts the process: the environment waits until the last one is closed.
  const auto closed = [this] {
    const std::shared_ptr<Delivery> self = std::move(keep_);
    if (cleanup_ != nullptr) napi_remove_async_cleanup_hook(std::exchange(cleanup_, nullptr));
  };
  reactor_ = io::Reactor::open(loop, *this, slabs, closed);
  if (!reactor_ || !open_mailbox()) return false;
  const auto hook = [](napi_async_cleanup_hook_handle, void* self) {
    const std::unique_ptr<std::shared_ptr<Delivery>> owner(static_cast<std::shared_ptr<Delivery>*>(self));
    (*owner)->begin_teardown(*owner);
  };
  auto owner = std::make_unique<std::shared_ptr<Delivery>>(shared_from_this());
  if (napi_add_async_cleanup_hook(env_, hook, owner.get(), &cleanup_) != napi_ok) return false;
  owner.release();
  return true;
}

// Keeps the environment's loop running while I/O threads have something to do.
class LoopActivity : public io::Activity {
 public:
  explicit LoopActivity(std::shared_ptr<io::Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}

 private:
  void changed() override {
    if (std::this_thread::get_id() == home_) {
      mailbox_->set_ref(any());
    } else {
      // By then it may have changed again, which is why it is looked at there.
      mailbox_->post([self = this, mailbox = mailbox_] { mailbox->set_ref(self->any()); });
    }
  }

  const std::shared_ptr<io::Mailbox> mailbox_;
  const std::thread::id home_ = std::this_thread::get_id();
};

bool Delivery::open_mailbox() {
  mailbox_ = io::Mailbox::open(reactor_->loop(), reactor_->lease());
  if (!mailbox_) return false;
  mailbox_->set_ref(false);
  activity_ = std::make_shared<LoopActivity>(mailbox_);
  return true;
}

// JavaScript has run for the last time in this environment.
void Delivery::begin_teardown(const std::shared_ptr<Delivery>& self) {
  keep_ = self;
  // First the threads, which write to memory of JavaScript's; what they still have to say is dropped.
  for (const std::weak_ptr<io::IoPool>& each : pools_) {
    if (const std::shared_ptr<io::IoPool> pool = each.lock()) pool->stop();
  }
  mailbox_->close();
  lenders_.clear();
  for (napi_ref& reference : slabs_) {
    if (reference != nullptr) napi_delete_reference(env_, std::exchange(reference, nullptr));
  }
  for (napi_ref* reference : {&dispatch_, &resource_, &state_reference_, &events_, &gathered_reference_}) {
    if (*reference != nullptr) napi_delete_reference(env_, std::exchange(*reference, nullptr));
  }
  napi_async_destroy(env_, std::exchange(context_, nullptr));
  reactor_->close();
}

// ---------------------------------------------------------------------------------------------------------------------
// Delivering

void Delivery::deliver(std::unique_ptr<io::EventBatch> batch) {
  // When ticks run, they may find that reads complete at once again.
  dispatch(*batch, [&] { reactor_->delivered(*batch); });
  reactor_->recycle(std::move(batch));
}

void Delivery::dispatch(io::EventBatch& batch) {
  dispatch(batch, [] {});
}

void Delivery::dispatch(io::EventBatch& batch, const std::function<void()>& handled) {
  // What is written meanwhile is sent below.
  ++state_[kDispatching];
  std::size_t first = 0;
  for (const std::size_t cut : batch.cuts()) {
    in_callback_scope([&] { dispatch_events(batch, first, cut); });
    first = cut;
  }
  const bool told = in_callback_scope([&] {
    dispatch_events(batch, first, batch.events().size());
    call_notified();
    handled();
  });
  if (!told) handled();
  // One inside another one ends no turn.
  if (--state_[kDispatching] == 0) send_held();
}

// With what was queued meanwhile: ticks and microtasks run before it returns. False: nothing can run any more, and
// nothing did.
bool Delivery::in_callback_scope(const std::function<void()>& action) {
  const HandleScope handles(env_);
  napi_callback_scope scope = nullptr;
  if (napi_open_callback_scope(env_, value_of(env_, resource_), context_, &scope) != napi_ok) return false;
  action();
  napi_close_callback_scope(env_, scope);
  report_exception(env_);
  return true;
}

void Delivery::send_held() {
  if (held_.empty()) return;
  state_[kHeld] = 0;
  const std::vector<std::weak_ptr<ChannelAccess>> held = std::exchange(held_, {});
  if (reactor_->closed()) return;
  const Entry entry(*this);
  for (const std::weak_ptr<ChannelAccess>& each : held) {
    if (const std::shared_ptr<ChannelAccess> access = each.lock()) access->send_held();
  }
}

napi_value Delivery::send_held(const Call& call) {
  Delivery* delivery = of(call.env);
  if (delivery != nullptr) delivery->send_held();
  return undefined(call.env);
}

void Delivery::dispatch_events(io::EventBatch& batch, std::size_t first, std::size_t end) {
  current_ = &batch;
  update_state();
  const std::vector<io::Event>& events = batch.events();
  for (; first < end; first += kEventsAtOnce) {
    const HandleScope handles(env_);
    const std::size_t count = std::min(kEventsAtOnce, end - first);
    std::memcpy(numbers_, events.data() + first, count * sizeof(io::Event));
    const std::array arguments{to_js(env_, static_cast<double>(count)), current_slab()};
    call(value_of(env_, dispatch_), arguments);
  }
  current_ = nullptr;
}

void Delivery::notify(Notified* notified) {
  if (std::find(notified_.begin(), notified_.end(), notified) != notified_.end()) return;
  notified_.push_back(notified);
  // Names no target: it only makes the batch worth delivering.
  reactor_->record({0, io::EventKind::none, 0, 0, 0});
}

void Delivery::forget(Notified* notified) { std::erase(notified_, notified); }

void Delivery::call_notified() {
  // One at a time from the front: a callback may make another one forgotten.
  for (std::size_t count = notified_.size(); count != 0 && !notified_.empty(); --count) {
    const HandleScope handles(env_);
    Notified* notified = notified_.front();
    notified_.erase(notified_.begin());
    if (napi_value function = notified->callback(env_)) call(function, {});
  }
}

void Delivery::call(napi_value function, std::span<const napi_value> arguments) {
  napi_value result = nullptr;
  napi_call_function(env_, value_of(env_, resource_), function, arguments.size(), arguments.data(), &result);
  report_exception(env_);
}

// Without a slab, or when nobody is left to read it, any will do.
napi_value Delivery::current_slab() {
  const auto id = static_cast<std::size_t>(std::max(current_->slab_id(), 0));
  return value_of(env_, slabs_[id] == nullptr ? slabs_[0] : slabs_[id]);
}

napi_value Delivery::copied_slab(const Call& call) {
  Delivery* delivery = of(call.env);
  if (delivery == nullptr || delivery->current_ == nullptr) return undefined(call.env);
  return to_js(call.env, delivery->current_->filled());
}

napi_value Delivery::payload(const Call& call) {
  Delivery* delivery = of(call.env);
  std::uint32_t index = 0;
  if (!call.read(0, "index", index)) return nullptr;
  if (delivery == nullptr || delivery->current_ == nullptr || index >= delivery->current_->payloads().size()) {
    return undefined(call.env);
  }
  return payload_to_js(call.env, delivery->current_->payloads()[index]);
}

bool define_delivery(napi_env env, napi_value exports) {
  return define_function<&Delivery::set_dispatch>(env, exports, "setDispatch") &&
         define_function<&Delivery::copied_slab>(env, exports, "copiedSlab") &&
         define_function<&Delivery::payload>(env, exports, "payload") &&
         define_function<&Delivery::send_held>(env, exports, "sendHeld");
}

}  // namespace system_tls::binding
