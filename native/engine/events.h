// What a connection tells its owner. Every call only records: none may call back into the connection, which may be
// inside OpenSSL.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "engine/question.h"
#include "openssl/library/failure.h"
#include "openssl/library/handles.h"

namespace system_tls::engine {

// Given by the owner, unique on a connection.
using OperationId = std::uint32_t;

// Of an operation that nobody waits for: how it ends is not told.
inline constexpr OperationId kUntold = 0;

// Reads that no operation asked for (flow) are told with this one.
inline constexpr OperationId kFlow = 0;

class Events {
 public:
  virtual ~Events() = default;

  // Room for clear bytes that have no memory of their own. Too little of it (below one record): recorded events must be
  // delivered first, and Connection::blocked_on_delivery() is true.
  virtual std::span<std::uint8_t> slab() = 0;
  // May the flow's own memory be filled? Several connections can have been given the same memory, so one is filled at a
  // time, and delivered, before the next.
  virtual bool may_fill() { return true; }

  virtual void operation_done(OperationId id, std::int64_t result) = 0;
  virtual void operation_failed(OperationId id, openssl::FailurePtr failure) = 0;
  // `bytes` begin where slab() began.
  virtual void data(OperationId id, std::span<const std::uint8_t> bytes) = 0;
  // Bytes went to the peer that the owner did not send: a file, by the kernel.
  virtual void sent_by_kernel() {}
  // The flow's own memory holds this many bytes; it is not written again before Connection::flow_delivered().
  virtual void flow_filled(std::size_t count) = 0;
  virtual void end(OperationId id) = 0;
  virtual void peer_updated(OperationId id) = 0;
  virtual void key_update(bool from_peer, bool requested) = 0;
  virtual void renegotiated(bool resumed, bool by_peer) = 0;
  virtual void session(openssl::SessionPtr session) = 0;
  virtual void keylog(std::string line) = 0;
  virtual void message(bool sent, int version, int content_type, std::span<const std::uint8_t> bytes) = 0;
  virtual void info(int where, int result, std::string state) = 0;
  virtual void alert(const openssl::Alert& alert) = 0;
  // Connection::negotiated_version() has grown.
  virtual void negotiated() {}
  // A handshake waits for Connection::answer().
  virtual void question(const Question& question) = 0;
  // The transport takes nothing more, whether or not an operation waited for it: told once.
  virtual void sending_failed(openssl::FailurePtr failure) = 0;
  // The connection is dead: told once, after the operations that it took with it.
  virtual void failed(openssl::FailurePtr failure) = 0;
};

// Which of the informing events are recorded at all.
enum Observe : std::uint32_t {
  kObserveSession = 1,
  kObserveKeylog = 2,
  kObserveMessage = 4,
  kObserveInfo = 8,
};

}  // namespace system_tls::engine
