#include "engine/reader.h"

#include <algorithm>
#include <utility>

namespace system_tls::engine {

Reader::Reader(Events& events, ChunkPool& pool, std::size_t ahead_limit, bool messages)
    : events_(events),
      ahead_(pool),
      ahead_limit_(ahead_limit),
      messages_(messages ? std::make_unique<Fifo<std::size_t>>() : nullptr) {}

void Reader::add(ReadOperation read) {
  call_wanted_ = true;
  reads_.push(std::move(read));
}

bool Reader::withdraw(OperationId id) {
  const ReadOperation* read = reads_.find([id](const ReadOperation& each) { return each.id == id; });
  if (read != nullptr) reads_.erase(read);
  return read != nullptr;
}

bool Reader::start_flow() {
  if (flow_) return false;
  flow_ = call_wanted_ = true;
  return true;
}

void Reader::set_flow_target(std::unique_ptr<ClearTarget> target) {
  flow_target_ = std::move(target);
  flow_busy_ = false;
}

Reader::Target Reader::pick_target(std::span<std::uint8_t>& target) {
  if (!reads_.empty()) {
    ReadOperation& read = reads_.front();
    target = read.target ? read.target->room() : events_.slab();
    target = target.first(std::min(target.size(), read.max));
    blocked_on_delivery_ = target.empty() && !read.target;
  } else if (flow_target_) {
    blocked_on_delivery_ = flow_busy_ || !events_.may_fill();
    if (!blocked_on_delivery_) target = flow_target_->room();
  } else {
    target = events_.slab();
    blocked_on_delivery_ = target.empty();
  }
  if (!target.empty()) return Target::ready;
  return blocked_on_delivery_ ? Target::none : Target::gone;
}

// Also of no bytes: memory that was asked for to read ahead goes back then.
void Reader::took(std::span<const std::uint8_t> bytes) {
  if (wanted()) {
    if (!bytes.empty()) deliver(bytes);
  } else if (messages_) {
    keep_ahead(bytes);
  } else {
    ahead_.commit(bytes.size());
  }
}

void Reader::deliver(std::span<const std::uint8_t> bytes) {
  if (!reads_.empty()) {
    const ReadOperation read = reads_.pop();
    if (read.target) {
      events_.operation_done(read.id, static_cast<std::int32_t>(bytes.size()));
    } else {
      events_.data(read.id, bytes);
    }
  } else if (flow_target_) {
    flow_busy_ = true;
    events_.flow_filled(bytes.size());
  } else {
    events_.data(kFlow, bytes);
  }
}

bool Reader::deliver_end() {
  if (!waiting()) return false;
  while (!reads_.empty()) events_.end(reads_.pop().id);
  if (flow_ && !std::exchange(flow_ended_, true)) events_.end(kFlow);
  return true;
}

bool Reader::fail_read(openssl::FailurePtr failure) {
  if (reads_.empty()) return false;
  events_.operation_failed(reads_.pop().id, std::move(failure));
  return true;
}

void Reader::fail_all(const openssl::FailurePtr& failure) {
  while (fail_read(failure)) {
  }
}

std::span<std::uint8_t> Reader::ahead_room() {
  const std::span<std::uint8_t> room = ahead_.room();
  return room.first(std::min(room.size(), ahead_limit_ - ahead_.size()));
}

void Reader::keep_ahead(std::span<const std::uint8_t> message) {
  if (message.empty()) return;
  ahead_.append(message);
  if (messages_) messages_->push(message.size());
}

std::size_t Reader::take_ahead(std::span<std::uint8_t> target) {
  if (!messages_) return ahead_.take(target);
  std::size_t& left = messages_->front();
  const std::size_t taken = ahead_.take(target.first(std::min(target.size(), left)));
  left -= taken;
  if (left == 0) messages_->pop();
  return taken;
}

Reader::Target Reader::serve_ahead() {
  std::span<std::uint8_t> target;
  const Target found = pick_target(target);
  if (found == Target::ready) deliver(target.first(take_ahead(target)));
  return found;
}

void Reader::drop_ahead() {
  ahead_.clear();
  if (messages_) *messages_ = {};
}

}  // namespace system_tls::engine
