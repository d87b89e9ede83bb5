// Events recorded on a reactor and not yet delivered: numbers, clear bytes in a slab, and payloads for what is rare.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "engine/question.h"
#include "openssl/library/bytes.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::io {

// The numbers of EventKind in types/binding.d.ts.
enum class EventKind : std::int32_t {
  none = 0,
  operation_done = 1,
  operation_failed = 2,
  data = 3,
  end = 4,
  peer_updated = 5,
  key_update = 6,
  renegotiated = 7,
  session = 8,
  keylog = 9,
  message = 10,
  info = 11,
  alert = 12,
  failed = 13,
  accepted = 14,
  accept_failed = 15,
  question = 16,
  sending_failed = 17,
  exported = 18,
};

struct Event {
  std::int32_t target;
  EventKind kind;
  std::int32_t a;
  std::int32_t b;
  std::int32_t c;
};
static_assert(sizeof(Event) == 5 * sizeof(std::int32_t), "copied as it is into an Int32Array");

struct MessagePayload {
  bool sent = false;
  int version = 0;
  int content_type = 0;
  std::vector<std::uint8_t> bytes;
};

using Payload = std::variant<openssl::FailurePtr, openssl::SessionPtr, std::string, MessagePayload,
                             std::shared_ptr<const engine::Subject>, openssl::Bytes>;

// Memory for clear bytes, which the receiver of the events can see; `id` is the receiver's name for it.
struct Slab {
  std::span<std::uint8_t> bytes;
  std::int32_t id = -1;
  // Whatever has to live as long as the memory is written to.
  std::shared_ptr<void> owner;
};

class EventBatch {
 public:
  // Without a slab there is room for events, but for no bytes.
  EventBatch() = default;
  explicit EventBatch(Slab slab) : slab_(std::move(slab)) {}

  bool has_slab() const { return !slab_.bytes.empty(); }
  std::int32_t slab_id() const { return slab_.id; }
  std::span<const std::uint8_t> slab() const { return slab_.bytes; }
  // What of it is filled.
  std::span<const std::uint8_t> filled() const { return slab_.bytes.first(used_); }
  // Of a batch that is empty, to one that has none.
  void give_slab_to(EventBatch& other) { other.slab_ = std::exchange(slab_, {}); }

  // Which of its reactor's batches it is, counted from 1.
  std::uint64_t number = 0;

  bool empty() const { return events_.empty(); }
  const std::vector<Event>& events() const { return events_; }
  std::vector<Payload>& payloads() { return payloads_; }

  void record(const Event& event) { events_.push_back(event); }

  // What is recorded from now on is told when all that follows from what was recorded before has run.
  void cut() { cuts_.push_back(events_.size()); }
  // How many events are before each of them.
  std::span<const std::size_t> cuts() const { return cuts_; }

  // In place: GCC 12 takes the move of a variant for a use of what it does not hold.
  template <typename T>
  std::int32_t add_payload(T payload) {
    payloads_.emplace_back(std::in_place_type<T>, std::move(payload));
    return static_cast<std::int32_t>(payloads_.size() - 1);
  }

  // Empty when there is no room for one whole record: half-filled deliveries cost more than an early one.
  std::span<std::uint8_t> slab_room() const {
    constexpr std::size_t kRecord = 16 * 1024;
    const std::span<std::uint8_t> room = slab_.bytes.subspan(used_);
    return room.size() < kRecord ? std::span<std::uint8_t>() : room;
  }
  std::int32_t take_slab(std::size_t count) {
    const auto offset = static_cast<std::int32_t>(used_);
    used_ += count;
    return offset;
  }

  // Takes back what was recorded for a target that will not be there any more.
  void withdraw(std::int32_t target, EventKind kind) {
    for (Event& event : events_) {
      if (event.target == target && event.kind == kind) event = {0, EventKind::none, 0, 0, 0};
    }
  }

  // Undoes the last take_slab(), when its bytes were copied at once.
  void give_slab_back(std::int32_t offset, std::size_t count) {
    if (used_ == static_cast<std::size_t>(offset) + count) used_ = static_cast<std::size_t>(offset);
  }

  void clear() {
    events_.clear();
    cuts_.clear();
    payloads_.clear();
    used_ = 0;
  }

 private:
  std::vector<Event> events_;
  std::vector<std::size_t> cuts_;
  std::vector<Payload> payloads_;
  Slab slab_;
  std::size_t used_ = 0;
};

}  // namespace system_tls::io
