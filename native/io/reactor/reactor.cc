#include "io/reactor/reactor.h"

#include <utility>

namespace system_tls::io {

namespace {
constexpr std::size_t kReceiveBuffer = 128 * 1024;
constexpr std::size_t kScratch = 32 * 1024;
// Connections that feed each other in memory must not keep the loop to themselves.
constexpr int kReadyRounds = 64;
}  // namespace

void Resident::move_in(Reactor& reactor) {
  home_ = reactor.weak_from_this();
  next_ = std::exchange(reactor.residents_, this);
  if (next_ != nullptr) next_->previous_ = this;
}

void Resident::move_out() {
  if (next_ != nullptr) next_->previous_ = previous_;
  if (previous_ != nullptr) {
    previous_->next_ = next_;
  } else if (const std::shared_ptr<Reactor> reactor = home_.lock(); reactor && reactor->residents_ == this) {
    reactor->residents_ = next_;
  }
  home_.reset();
  previous_ = next_ = nullptr;
}

std::shared_ptr<Reactor> Reactor::open(uv_loop_t* loop, Receiver& receiver, std::span<const Slab> slabs,
                                       std::function<void()> closed) {
  std::shared_ptr<Reactor> reactor(new Reactor(loop, receiver));
  for (const Slab& slab : slabs) reactor->free_.push_back(std::make_unique<EventBatch>(slab));
  reactor->start_recording();
  // Owns nothing: its deleter is the message that the last holder is gone.
  reactor->lease_ = LoopLease(static_cast<void*>(reactor.get()), [closed = std::move(closed)](void*) { closed(); });
  if (!reactor->open_handles()) return nullptr;
  return reactor;
}

bool Reactor::open_handles() {
  if (check_.open(lease_, this, [this](uv_check_t* check) { return uv_check_init(loop_, check); }) != 0) return false;
  if (idle_.open(lease_, this, [this](uv_idle_t* idle) { return uv_idle_init(loop_, idle); }) != 0) return false;
  if (deferring_.open(lease_, this, [this](uv_idle_t* idle) { return uv_idle_init(loop_, idle); }) != 0) return false;
  uv_check_start(check_.get(), [](uv_check_t* check) { static_cast<Reactor*>(check->data)->checked(); });
  // Delivery alone keeps no process alive; undelivered events do, through the idle handle.
  check_.set_ref(false);
  return true;
}

Reactor::~Reactor() { close(); }

void Reactor::checked() {
  // Before JavaScript, which can end the environment. What it starts belongs to the next iteration.
  ++iteration_;
  if (receiver_.gathers() && worth_gathering()) {
    set_idle(true);
  } else {
    deliver();
  }
}

// Bulk data has grown since the last poll: one poll more, which does not wait, costs less than waking somebody twice.
bool Reactor::worth_gathering() {
  constexpr std::size_t kBulk = 32 * 1024;
  const std::size_t size = recording_->filled().size();
  const bool grows = size > std::exchange(gathered_, size);
  return grows && size >= kBulk && size < recording_->slab().size() / 2;
}

void Reactor::close() {
  if (std::exchange(closed_, true)) return;
  for (Resident* resident = residents_; resident != nullptr;) {
    Resident* next = resident->next_;
    resident->close();
    resident = next;
  }
  // What was recorded and not delivered is dropped, and keeps no process running.
  if (activity_ && !recording_->empty()) activity_->leave();
  check_.reset();
  idle_.reset();
  deferring_.reset();
  lease_.reset();
}

void Reactor::evict(const openssl::FailurePtr& why) {
  for (Resident* resident = residents_; resident != nullptr;) {
    Resident* next = resident->next_;
    resident->evict(why);
    resident = next;
  }
}

// No memory left means that the receiver is behind: connections with bytes for it wait then, and so do their peers.
void Reactor::start_recording() {
  take_returned();
  if (free_.empty()) free_.push_back(std::make_unique<EventBatch>());
  recording_ = std::move(free_.back());
  free_.pop_back();
  recording_->number = ++last_number_;
  gathered_ = 0;
}

// What had no slab is not worth keeping.
void Reactor::keep(std::unique_ptr<EventBatch> batch) {
  delivered(*batch);
  batch->clear();
  if (batch->has_slab()) free_.push_back(std::move(batch));
}

// Until there is memory, or the receiver knows that it has to call recycle().
void Reactor::take_returned() {
  while (free_.empty()) {
    std::unique_ptr<EventBatch> returned = receiver_.returned();
    if (!returned) return;
    keep(std::move(returned));
  }
}

void Reactor::recycle(std::unique_ptr<EventBatch> batch) {
  keep(std::move(batch));
  if (!recording_->has_slab()) {
    take_returned();
    if (free_.empty()) return;
    free_.back()->give_slab_to(*recording_);
    free_.pop_back();
  }
  wake_awaiting();
}

void Reactor::wake_awaiting() {
  for (const std::weak_ptr<Runnable>& each : std::exchange(awaiting_delivery_, {})) make_ready(each);
}

void Reactor::job_freed() {
  while (!awaiting_job_.empty()) {
    const std::shared_ptr<Runnable> runnable = awaiting_job_.pop().lock();
    if (runnable && runnable->offer_job()) return;
  }
}

void Reactor::forget(const Runnable* runnable) {
  const auto same = [runnable](const std::weak_ptr<Runnable>& each) { return each.lock().get() == runnable; };
  std::erase_if(ready_, same);
  std::erase_if(awaiting_delivery_, same);
  std::erase_if(deferred_, same);
}

std::span<std::uint8_t> Reactor::receive_buffer() {
  if (!receive_buffer_) receive_buffer_.reset(new std::uint8_t[kReceiveBuffer]);
  return {receive_buffer_.get(), kReceiveBuffer};
}

std::span<std::uint8_t> Reactor::scratch() {
  if (!scratch_) scratch_.reset(new std::uint8_t[kScratch]);
  return {scratch_.get(), kScratch};
}

void Reactor::set_idle(bool on) {
  if (closed_ || on == idle_on_) return;
  idle_on_ = on;
  if (on) {
    uv_idle_start(idle_.get(), [](uv_idle_t*) {});
  } else {
    uv_idle_stop(idle_.get());
  }
}

void Reactor::leave_turn() {
  if (depth_ == 1) run_ready();
  --depth_;
  // Inside a delivery the loop of deliver() takes care; otherwise the check phase must come soon, I/O or not.
  if (depth_ == 0 && !delivering_ && work_left()) set_idle(true);
}

void Reactor::run_ready() {
  for (int round = 0; round < kReadyRounds && !ready_.empty(); ++round) {
    for (const std::weak_ptr<Runnable>& each : std::exchange(ready_, {})) {
      if (const std::shared_ptr<Runnable> runnable = each.lock()) runnable->run();
    }
  }
}

// An idle handle runs ahead of every poll, and lets that one return at once.
void Reactor::defer(std::weak_ptr<Runnable> runnable) {
  if (closed_) return;
  deferred_.push_back(std::move(runnable));
  if (deferred_.size() != 1) return;
  uv_idle_start(deferring_.get(), [](uv_idle_t* idle) { static_cast<Reactor*>(idle->data)->run_deferred(); });
}

void Reactor::run_deferred() {
  uv_idle_stop(deferring_.get());
  const Turn turn(*this);
  for (const std::weak_ptr<Runnable>& each : std::exchange(deferred_, {})) {
    if (const std::shared_ptr<Runnable> runnable = each.lock()) runnable->run();
  }
}

void Reactor::record(const Event& event) {
  if (closed_) return;
  if (activity_ && recording_->empty()) activity_->enter();
  recording_->record(event);
}

void Reactor::deliver() {
  if (delivering_ || closed_) return;
  const std::shared_ptr<Reactor> self = shared_from_this();  // JavaScript can end the environment
  set_idle(false);
  delivering_ = true;
  // Bounded: handlers that cause events without end must let the loop go on.
  for (int round = 0; round < kReadyRounds && !closed_ && work_left(); ++round) {
    if (!recording_->empty()) {
      std::unique_ptr<EventBatch> batch = std::move(recording_);
      start_recording();
      receiver_.deliver(std::move(batch));
      // From here on it is the receiver's affair.
      if (activity_) activity_->leave();
      if (recording_->has_slab()) wake_awaiting();
    }
    // Not left to the end of the turn: a socket that delivers in the middle of its input goes on from here, with the
    // bytes lent.
    run_ready();
  }
  delivering_ = false;
  if (work_left()) set_idle(true);
}

}  // namespace system_tls::io
