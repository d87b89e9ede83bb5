// One loop and everything that lives on it. All of it, and all that hangs on it, belongs to the thread that runs the
// loop.
//
// Entries (a poll callback, a call from JavaScript) open a Turn. Inside it connections work and events are recorded;
// when the outermost Turn closes, connections that others made ready have run too. Events are delivered together, once
// per loop iteration, in the check phase; an idle handle brings that phase about when no I/O does.
#pragma once

#include <uv.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "engine/fifo.h"
#include "engine/wire/byte_queue.h"
#include "io/reactor/activity.h"
#include "io/reactor/event_batch.h"
#include "io/reactor/offered_sockets.h"
#include "io/reactor/uv_handle.h"

namespace system_tls::io {

class Reactor;

// Something with handles on a reactor's loop, which has to let go of them when the reactor closes.
class Resident {
 public:
  Resident() = default;
  virtual ~Resident() { move_out(); }
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;
  virtual void close() = 0;
  // The reactor is about to close: whoever uses this should hear of it, and why.
  virtual void evict(const openssl::FailurePtr&) {}

  // On the reactor's thread.
  void move_in(Reactor& reactor);
  void move_out();

 private:
  friend class Reactor;
  std::weak_ptr<Reactor> home_;
  Resident* previous_ = nullptr;
  Resident* next_ = nullptr;
};

// Connections that wait for a turn of their own, for delivery, or for an ASYNC job.
class Runnable {
 public:
  virtual ~Runnable() = default;
  virtual void run() = 0;
  // False: it does not want one any more.
  virtual bool offer_job() { return false; }
};

class Reactor : public std::enable_shared_from_this<Reactor> {
 public:
  class Receiver {
   public:
    virtual ~Receiver() = default;
    // The batch is the receiver's until it gives it back by recycle(): at once, or, if its events are handled on
    // another thread, later.
    virtual void deliver(std::unique_ptr<EventBatch> batch) = 0;
    // A batch that was handled and lies ready, on this reactor's thread. Null: there is none, and the next one shall be
    // given back by recycle().
    virtual std::unique_ptr<EventBatch> returned() { return nullptr; }
    // Does each delivery wake a thread? Then bulk data is gathered first, as long as more keeps coming.
    virtual bool gathers() const { return false; }
  };

  // One batch for each slab: two at the least, since events are recorded while others are being delivered. `closed`
  // runs on the loop's thread when the last handle is closed.
  static std::shared_ptr<Reactor> open(uv_loop_t* loop, Receiver& receiver, std::span<const Slab> slabs,
                                       std::function<void()> closed);
  ~Reactor();

  uv_loop_t* loop() const { return loop_; }
  const LoopLease& lease() const { return lease_; }
  engine::ChunkPool& chunks() { return chunks_; }
  // Where sockets receive: 128 KiB for the whole reactor, so that its pages stay warm.
  std::span<std::uint8_t> receive_buffer();
  // The same for what can happen while a socket's bytes are lent out of receive_buffer() and JavaScript runs.
  std::span<std::uint8_t> scratch();

  // Counts as activity until it is handled: a process does not end with results on their way.
  void record(const Event& event);
  EventBatch& recording() { return *recording_; }
  std::uint64_t recording_number() const { return recording_->number; }
  std::uint64_t delivered_number() const { return delivered_number_; }
  bool delivering() const { return delivering_; }
  // Delivers at once what is recorded, unless a delivery is on the stack.
  void deliver();
  // Have events been handled when deliver() returns, and what they caused begun? On another thread they are handled
  // later.
  bool handles_events() const { return !receiver_.gathers(); }
  // By the receiver: all events of the batch were handled. JavaScript may run after that too, before recycle().
  void delivered(const EventBatch& batch) { delivered_number_ = std::max(delivered_number_, batch.number); }
  // By the receiver, on this reactor's thread: its memory may be used again.
  void recycle(std::unique_ptr<EventBatch> batch);
  // Undelivered events of this reactor.
  std::size_t recorded() const { return recording_->events().size(); }

  // Memory of the application's own that was filled and not delivered yet: one at a time.
  bool fill_pending() const { return last_fill_ > delivered_number_; }
  void note_fill() { last_fill_ = recording_->number; }

  // Whose input came in bulk last. Compared, never followed: it may be gone.
  bool last_in_bulk(const Resident* resident) const { return bulk_reader_ == resident; }
  void note_input(const Resident* resident, bool bulk) {
    if (bulk || last_in_bulk(resident)) bulk_reader_ = bulk ? resident : nullptr;
  }

  // Runs at the end of the outermost turn.
  void make_ready(std::weak_ptr<Runnable> runnable) { ready_.push_back(std::move(runnable)); }
  // Runs after the next delivery.
  void after_delivery(std::weak_ptr<Runnable> runnable) { awaiting_delivery_.push_back(std::move(runnable)); }
  // Runs in the next iteration of the loop, after everybody else has had a turn.
  void defer(std::weak_ptr<Runnable> runnable);
  // Counts the loop's iterations, for those who bound their work in each.
  std::uint64_t iteration() const { return iteration_; }
  // Runs when a job of this thread's is free again, in the order of asking.
  void await_job(std::weak_ptr<Runnable> runnable) { awaiting_job_.push(std::move(runnable)); }
  void job_freed();
  // It moves to another reactor.
  void forget(const Runnable* runnable);

  // Of the environment: see share_offered().
  const std::shared_ptr<OfferedSockets>& offered() const { return offered_; }
  void share_offered(std::shared_ptr<OfferedSockets> offered) { offered_ = std::move(offered); }

  // Sockets that wait for their peers' end, which must not use up the process's descriptors.
  bool may_linger() const { return !closed_ && lingering_ < kMostLingering; }
  void note_lingering(int difference) { lingering_ += difference; }

  // What waits for a peer or a transport here, for whoever has to keep a process running meanwhile. Null: nobody.
  void set_activity(std::shared_ptr<Activity> activity) { activity_ = std::move(activity); }
  Activity* activity() const { return activity_.get(); }

  // Nothing lives here, nor is there an event to deliver.
  bool vacant() const { return residents_ == nullptr && recording_->empty(); }
  // Tells everything that lives here that it is over; close() follows.
  void evict(const openssl::FailurePtr& why);
  // Lets go of everything; `closed` follows.
  void close();
  bool closed() const { return closed_; }

 private:
  friend class Turn;
  friend class Resident;

  Reactor(uv_loop_t* loop, Receiver& receiver) : loop_(loop), receiver_(receiver) {}
  bool open_handles();
  void checked();
  bool worth_gathering();
  void start_recording();
  void keep(std::unique_ptr<EventBatch> batch);
  void take_returned();
  void wake_awaiting();
  bool work_left() const { return !recording_->empty() || !ready_.empty(); }
  void leave_turn();
  void run_ready();
  void run_deferred();
  void set_idle(bool on);

  uv_loop_t* loop_;
  Receiver& receiver_;
  LoopLease lease_;
  UvHandle<uv_check_t> check_;
  UvHandle<uv_idle_t> idle_;
  UvHandle<uv_idle_t> deferring_;
  engine::ChunkPool chunks_;
  std::unique_ptr<std::uint8_t[]> receive_buffer_;
  std::unique_ptr<std::uint8_t[]> scratch_;

  std::shared_ptr<Activity> activity_;
  std::unique_ptr<EventBatch> recording_;
  std::vector<std::unique_ptr<EventBatch>> free_;
  std::uint64_t last_number_ = 0;
  std::size_t gathered_ = 0;  // bytes in the batch at the last check
  std::uint64_t delivered_number_ = 0;
  std::uint64_t last_fill_ = 0;
  const Resident* bulk_reader_ = nullptr;
  bool delivering_ = false;
  bool idle_on_ = false;
  bool closed_ = false;
  int depth_ = 0;
  std::vector<std::weak_ptr<Runnable>> ready_;
  std::vector<std::weak_ptr<Runnable>> awaiting_delivery_;
  std::vector<std::weak_ptr<Runnable>> deferred_;
  std::uint64_t iteration_ = 1;
  engine::Fifo<std::weak_ptr<Runnable>> awaiting_job_;
  Resident* residents_ = nullptr;
  std::shared_ptr<OfferedSockets> offered_ = std::make_shared<OfferedSockets>();
  static constexpr int kMostLingering = 1024;
  int lingering_ = 0;
};

class Turn {
 public:
  explicit Turn(Reactor& reactor) : reactor_(reactor) { ++reactor_.depth_; }
  ~Turn() { reactor_.leave_turn(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Reactor& reactor_;
};

}  // namespace system_tls::io
