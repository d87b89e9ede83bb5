// Who gets the clear bytes that arrive: reads in call order, the flow, or what is read ahead of both. It knows memory
// and no SSL: whoever owns it fills the memory by SSL_read, and says how much there is.
//
// Invariant: what was read ahead goes out before anything else is read, and with DTLS each read gets bytes of one
// message.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "engine/clear_memory.h"
#include "engine/events.h"
#include "engine/fifo.h"
#include "engine/wire/byte_queue.h"

namespace system_tls::engine {

// Served in call order; independent of the operations that change or send something.
struct ReadOperation {
  OperationId id = 0;
  std::size_t max = 0;
  // None: into the owner's slab.
  std::unique_ptr<ClearTarget> target;
};

class Reader {
 public:
  // `none`: not now; `gone`: JavaScript detached or shrunk what was to be filled.
  enum class Target { ready, none, gone };

  // `ahead_limit`: bytes that may be read ahead. `messages`: DTLS.
  Reader(Events& events, ChunkPool& pool, std::size_t ahead_limit, bool messages);
  void use_pool(ChunkPool& pool) { ahead_.use_pool(pool); }

  void add(ReadOperation read);
  bool withdraw(OperationId id);
  // False: it flows already.
  bool start_flow();
  void stop_flow() { flow_ = false; }
  bool flowing() const { return flow_; }
  // Null: into the owner's slab.
  void set_flow_target(std::unique_ptr<ClearTarget> target);
  void flow_delivered() { flow_busy_ = false; }

  bool wanted() const { return !reads_.empty() || flow_; }
  // Somebody has yet to be told something, if only the end.
  bool waiting() const { return !reads_.empty() || (flow_ && !flow_ended_); }

  // SSL_read has to be called although nothing arrived. Otherwise each advance() would cost one that finds nothing.
  void want_call(bool on) { call_wanted_ = on; }
  bool call_wanted() const { return call_wanted_; }

  // Where the bytes go of whoever reads.
  Target pick_target(std::span<std::uint8_t>& target);
  // Bytes are there, but the slab or the flow's memory is taken by events not yet delivered.
  bool blocked_on_delivery() const { return blocked_on_delivery_; }
  void unblock() { blocked_on_delivery_ = false; }
  // That memory, or ahead_room(), was filled.
  void took(std::span<const std::uint8_t> bytes);
  // True: somebody was told.
  bool deliver_end();
  // Of the first read. False: there is none.
  bool fail_read(openssl::FailurePtr failure);
  void fail_all(const openssl::FailurePtr& failure);

  bool ahead_empty() const { return ahead_.empty(); }
  std::size_t ahead_size() const { return ahead_.size(); }
  // One message whatever the bound.
  bool may_hold_more() const { return ahead_.size() < ahead_limit_ || (messages_ && ahead_.empty()); }
  // Not empty if may_hold_more(). Not with DTLS: keep_ahead().
  std::span<std::uint8_t> ahead_room();
  void keep_ahead(std::span<const std::uint8_t> message);
  bool ahead_wanted() const { return !ahead_.empty() && wanted(); }
  // To whoever reads by now.
  Target serve_ahead();
  void drop_ahead();

 private:
  void deliver(std::span<const std::uint8_t> bytes);
  std::size_t take_ahead(std::span<std::uint8_t> target);

  Events& events_;
  Fifo<ReadOperation> reads_;
  std::unique_ptr<ClearTarget> flow_target_;
  ByteQueue ahead_;
  const std::size_t ahead_limit_;
  // DTLS: the sizes of the messages in ahead_. Null for TLS.
  const std::unique_ptr<Fifo<std::size_t>> messages_;
  bool flow_ = false;
  bool flow_busy_ = false;
  bool flow_ended_ = false;
  bool blocked_on_delivery_ = false;
  bool call_wanted_ = false;
};

}  // namespace system_tls::engine
