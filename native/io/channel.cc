#include "io/channel.h"

#include <openssl/sslerr.h>

#include <algorithm>
#include <utility>

namespace system_tls::io {

using engine::OperationId;
using openssl::FailurePtr;

namespace {

// One connection's share of a loop iteration, after which the others have theirs. About half a millisecond of records
// and handshake messages: thousands of KeyUpdates, or of records of one byte, fit into one receive.
constexpr std::uint32_t kReceiveWork = 512;
// A peer that takes all there is would keep a large write going for as long as that is.
constexpr std::size_t kSendBudget = 2 * 1024 * 1024;
// From here on another record saves no system call worth waiting for.
constexpr std::size_t kWorthSending = 16 * 1024;

}  // namespace

std::shared_ptr<Channel> Channel::create(const std::shared_ptr<Reactor>& reactor, std::int32_t id, openssl::SslPtr ssl,
                                         const engine::ConnectionOptions& options, FailurePtr& failure) {
  auto channel = std::make_shared<Channel>(reactor, id);
  failure = channel->set_up(std::move(ssl), options);
  return failure ? nullptr : channel;
}

FailurePtr Channel::set_up(openssl::SslPtr ssl, const engine::ConnectionOptions& options) {
  FailurePtr failure;
  connection_ = engine::Connection::create(std::move(ssl), options, reactor_->chunks(), *this, failure);
  return failure;
}

// ---------------------------------------------------------------------------------------------------------------------
// From JavaScript

Channel::Outcome Channel::take_outcome() {
  starting_ = 0;
  return std::exchange(outcome_, {});
}

bool Channel::refuse_without_transport(OperationId id) {
  if (transport_ || connection_->dead()) return false;
  operation_failed(id, engine::misuse(SSL_R_BIO_NOT_SET,
                                      "The connection has nothing to talk through: call setFd() or setBio() first"));
  return true;
}

Channel::Outcome Channel::start(engine::Operation operation, bool now) {
  starting_ = now ? operation.id : 0;
  starting_read_ = false;
  if (!refuse_without_transport(operation.id)) {
    connection_->start(std::move(operation));
    pump();
  }
  return take_outcome();
}

Channel::Outcome Channel::start_read(engine::ReadOperation read, bool now) {
  starting_ = now ? read.id : 0;
  starting_read_ = true;
  if (!refuse_without_transport(read.id)) {
    connection_->start_read(std::move(read));
    pump();
  }
  return take_outcome();
}

void Channel::release(const Outcome& outcome) {
  reactor_->recording().give_slab_back(outcome.slab_offset, outcome.bytes.size());
}

bool Channel::write_now(std::span<const std::uint8_t> clear, std::size_t& taken, bool hold) {
  taken = 0;
  if (!transport_) return false;
  renew_budgets();
  while (true) {
    const std::size_t count = connection_->write_now(clear.subspan(taken));
    taken += count;
    if (hold && taken == clear.size() && hold_output()) break;
    const bool sent = flush();
    if (taken == clear.size() || (count == 0 && !sent) || send_budget_ == 0 || !connection_->out_below_mark()) break;
  }
  settle();
  return taken == clear.size() && connection_ && !connection_->send_failure() && connection_->out_below_mark();
}

// A memory BIO has who waits for it on the same stack.
bool Channel::hold_output() {
  const std::size_t size = connection_->enc().out.size();
  held_ = size != 0 && size < kWorthSending && transport_->fd() >= 0;
  return held_;
}

void Channel::send_held() {
  if (!connection_ || !held_) return;
  flush();
  settle();
}

engine::Cancelled Channel::cancel(OperationId id) {
  const auto cancelled = connection_->cancel(id);
  pump();
  return cancelled;
}

bool Channel::answer(engine::QuestionId id, engine::Answer answer) {
  const bool taken = connection_->answer(id, std::move(answer));
  pump();
  return taken;
}

void Channel::start_flow() {
  connection_->start_flow();
  pump();
}

void Channel::stop_flow() {
  connection_->stop_flow();
  settle();
}

void Channel::set_user_ref(bool on) {
  user_ref_ = on;
  settle();
}

// ---------------------------------------------------------------------------------------------------------------------
// Pumping

void Channel::run() {
  waits_for_delivery_ = false;
  if (std::exchange(deferred_, false)) tickets_due_ = true;
  if (!connection_) return;
  await_fill_delivered();
  pump();
}

// What was filled while a batch was being delivered is told by a later one.
void Channel::await_fill_delivered() {
  if (fill_batch_ == 0) return;
  if (fill_batch_ <= reactor_->delivered_number()) {
    fill_batch_ = 0;
    connection_->flow_delivered();
  } else if (!std::exchange(waits_for_delivery_, true)) {
    reactor_->after_delivery(weak_from_this());
  }
}

void Channel::pump() {
  if (pumping_ || !connection_) return;
  pumping_ = true;
  renew_budgets();
  do {
    do {
      connection_->advance();
    } while (flush() && send_budget_ != 0 && connection_->can_advance());
  } while (receives_at_once() && receive_once());
  end_unsendable();
  pumping_ = false;
  settle();
}

// Session tickets are in no hurry: they go with the first answer, if JavaScript has one in this iteration of the loop,
// and save a system call.
bool Channel::holds_tickets() {
  if (tickets_due_ || !connection_->only_tickets_unsent()) return false;
  if (transport_->always_readable() || !reactor_->handles_events()) return false;
  if (!std::exchange(deferred_, true)) reactor_->defer(weak_from_this());
  return true;
}

// True if bytes went out, or it has turned out that none can.
bool Channel::flush() {
  held_ = false;
  if (!transport_ || connection_->enc().out.empty() || holds_tickets()) return false;
  tickets_due_ = connection_->established();
  const Moved moved = transport_->send(connection_->enc().out);
  if (moved.bytes != 0) note_moved();
  if (moved.failure) connection_->fail_sending(moved.failure);
  send_budget_ -= std::min(moved.bytes, send_budget_);
  return moved.bytes != 0 || moved.failure;
}

void Channel::renew_budgets() {
  if (budgets_of_ == reactor_->iteration()) return;
  budgets_of_ = reactor_->iteration();
  send_budget_ = kSendBudget;
  connection_->enc().in.allow(kReceiveWork);
}

// It could go on, but not in this iteration.
bool Channel::work_deferred() const {
  const engine::EncIn& in = connection_->enc().in;
  const bool input = in.paused() && in.size() != 0 && connection_->wants_input();
  return input || (send_budget_ == 0 && connection_->can_advance());
}

// After every entry: what does the connection wait for now?
void Channel::settle() {
  if (!connection_ || pumping_) return;
  if (write_ahead_) write_ahead_->set_open(connection_->open_for_writing());
  show_gauges();
  note_job();
  if (connection_->dead()) finish_dead();
  if (connection_->blocked_on_delivery() && !std::exchange(waits_for_delivery_, true)) {
    reactor_->after_delivery(weak_from_this());
  }
  if (!transport_ || connection_->dead()) {
    note_activity(false);
    return;
  }
  if (work_deferred() && !std::exchange(deferred_, true)) reactor_->defer(weak_from_this());
  const engine::EncSide& enc = connection_->enc();
  const bool unsent = !enc.out.empty() && !held_ && !holds_tickets();
  transport_->watch(connection_->wants_input() && enc.in.size() == 0 && !enc.in.eof_seen(),
                    unsent || connection_->blocked_on_output());
  const bool active = user_ref_ && (connection_->pending() || !enc.out.empty());
  transport_->set_ref(active);
  note_activity(active);
  if (connection_->dtls()) arm_retransmission(active);
}

void Channel::arm_retransmission(bool active) {
  const auto left = connection_->retransmit_in();
  if (!retransmission_ && left) retransmission_ = std::make_unique<RetransmissionTimer>(*reactor_, *this);
  if (retransmission_) retransmission_->arm(left, active);
}

void Channel::retransmit() {
  const std::shared_ptr<Channel> self = shared_from_this();
  const Turn turn(*reactor_);
  connection_->retransmit();
  pump();
}

// A handle keeps its own loop running, but this may not be the loop that keeps the process running.
void Channel::note_activity(bool on) { activity_.set(reactor_->activity(), on); }

// The jobs of a thread are bounded: whoever gives one back lets the next one have it.
void Channel::note_job() {
  const bool uses = connection_ && connection_->uses_job();
  if (uses && connection_->wants_job() && !std::exchange(waits_for_job_, true)) {
    reactor_->await_job(weak_from_this());
  }
  if (std::exchange(uses_job_, uses) && !uses) reactor_->job_freed();
}

bool Channel::offer_job() {
  waits_for_job_ = false;
  if (!connection_ || !connection_->wants_job()) return false;
  reactor_->make_ready(weak_from_this());
  return true;
}

}  // namespace system_tls::io
