// The crossing: an environment's reactor on its own loop, and the way of its events into JavaScript.
#pragma once

#include <node_api.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "binding/core/wrap.h"
#include "io/reactor/reactor.h"
#include "io/threads/block_pool.h"
#include "io/threads/io_pool.h"
#include "io/transports/bio_endpoint.h"

namespace system_tls::binding {

// Something that JavaScript wants to be told about in a turn of its own, outside the table of event targets.
class Notified {
 public:
  virtual ~Notified() = default;
  // The function to call; null: none any more.
  virtual napi_value callback(napi_env env) = 0;
};

// A write whose memory is referenced here, while its connection is on another thread.
class Lender;
class ChannelAccess;

class Delivery : public io::Reactor::Receiver,
                 public io::IoThread::Owner,
                 public std::enable_shared_from_this<Delivery> {
 public:
  // Null before setDispatch(), and once the environment is going.
  static Delivery* of(napi_env env) noexcept;
  // The same, for calls that need it: null: an exception is pending.
  static Delivery* required(napi_env env);

  explicit Delivery(napi_env env) : env_(env) {}

  const std::shared_ptr<io::Reactor>& reactor() const { return reactor_; }
  // What JavaScript has laid side by side, for writeGathered(). Null: it is not there so far.
  const std::uint8_t* gathered(std::size_t size) const { return size <= kGathered ? gathered_ : nullptr; }
  void update_state() { state_[kRecorded] = static_cast<std::int32_t>(reactor_->recorded()); }
  // Until JavaScript's turn is over, which a dispatch sees by itself: otherwise JavaScript, by the state.
  void hold(std::weak_ptr<ChannelAccess> access) {
    held_.push_back(std::move(access));
    state_[kHeld] = 1;
  }
  void send_held();
  void notify(Notified* notified);
  void forget(Notified* notified);

  // Memory that JavaScript sees, for `count` batches more. False: it cannot be had.
  bool add_slabs(std::size_t count, std::vector<io::Slab>& slabs);
  // No batch with them is on its way any more.
  void remove_slabs(std::span<const io::Slab> slabs);
  // I/O threads that have to end before the environment does.
  void add_pool(const std::shared_ptr<io::IoPool>& pool);
  // For what is written to connections on them.
  const std::shared_ptr<io::BlockPool>& blocks() const { return blocks_; }
  void keep(std::shared_ptr<Lender> lender) { lenders_.push_back(std::move(lender)); }
  void release(const Lender* lender) {
    std::erase_if(lenders_, [lender](const std::shared_ptr<Lender>& each) { return each.get() == lender; });
  }
  const std::shared_ptr<io::Mailbox>& shared_mailbox() const { return mailbox_; }

  // io::Reactor::Receiver
  void deliver(std::unique_ptr<io::EventBatch> batch) override;

  // io::IoThread::Owner
  void dispatch(io::EventBatch& batch) override;
  io::Mailbox& mailbox() override { return *mailbox_; }
  const std::shared_ptr<io::Activity>& activity() const override { return activity_; }
  const std::shared_ptr<io::OfferedSockets>& offered() const override { return reactor_->offered(); }

  static napi_value set_dispatch(const Call& call);
  static napi_value copied_slab(const Call& call);
  static napi_value payload(const Call& call);
  static napi_value send_held(const Call& call);

 private:
  bool open(napi_value dispatch);
  bool make_slab(io::Slab& slab);
  bool make_gathered();
  napi_value lendable_memory(io::Slab& slab);
  napi_value current_slab();
  void begin_teardown(const std::shared_ptr<Delivery>& self);
  bool open_reactor();
  bool open_mailbox();
  // In a callback scope; `handled` runs before it closes, and with it microtasks and ticks.
  void dispatch(io::EventBatch& batch, const std::function<void()>& handled);
  bool in_callback_scope(const std::function<void()>& action);
  // Those from `first` to `end`.
  void dispatch_events(io::EventBatch& batch, std::size_t first, std::size_t end);
  void call(napi_value function, std::span<const napi_value> arguments);
  void call_notified();

  // What JavaScript sees as `state`, by index: `stateAt` in lib/transport/dispatch.ts.
  enum State : std::size_t { kRecorded, kHeld, kDispatching, kStates };
  static constexpr std::size_t kEventsAtOnce = 1024;
  static constexpr std::size_t kGathered = 64 * 1024;

  napi_env env_;
  std::shared_ptr<io::Reactor> reactor_;
  napi_ref state_reference_ = nullptr;
  napi_ref dispatch_ = nullptr;
  napi_ref resource_ = nullptr;
  napi_ref events_ = nullptr;
  napi_ref gathered_reference_ = nullptr;
  std::uint8_t* gathered_ = nullptr;
  // Uint8Arrays of JavaScript's, by the id of the slab. Null: free.
  std::vector<napi_ref> slabs_;
  // May views of slabs be given to users?
  bool lends_ = true;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::int32_t* numbers_ = nullptr;
  std::int32_t* state_ = nullptr;
  io::EventBatch* current_ = nullptr;
  std::shared_ptr<io::Mailbox> mailbox_;
  std::shared_ptr<io::Activity> activity_;
  std::vector<std::weak_ptr<io::IoPool>> pools_;
  std::vector<std::shared_ptr<Lender>> lenders_;
  const std::shared_ptr<io::BlockPool> blocks_ = std::make_shared<io::BlockPool>();
  std::vector<Notified*> notified_;
  std::vector<std::weak_ptr<ChannelAccess>> held_;
  // From the beginning of teardown until the last handle is closed.
  std::shared_ptr<Delivery> keep_;
};

// A call from JavaScript that touches the reactor.
class Entry {
 public:
  explicit Entry(Delivery& delivery) : delivery_(delivery), turn_(*delivery.reactor()) {}

 private:
  struct StateUpdate {
    Delivery& delivery;
    ~StateUpdate() { delivery.update_state(); }
  };
  Delivery& delivery_;
  // Destroyed after the turn, which records more.
  StateUpdate update_{delivery_};
  io::Turn turn_;
};

bool define_delivery(napi_env env, napi_value exports);

}  // namespace system_tls::binding
