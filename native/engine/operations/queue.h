// The operations of a connection in call order, and those that have left the queue and wait for the peer. What each of
// them does is not known here.
//
// Invariant: only the first operation runs, and each ends by exactly one event, whoever ends it.
#pragma once

#include <vector>

#include "engine/events.h"
#include "engine/fifo.h"
#include "engine/operations/operation.h"

namespace system_tls::engine {

// What has become of an operation that shall be taken back.
enum class Cancelled { unknown, withdrawn, under_way };

class OperationQueue {
 public:
  explicit OperationQueue(Events& events) : events_(events) {}

  void push(Operation operation) { operations_.push(std::move(operation)); }
  bool empty() const { return operations_.empty(); }
  Operation* first() { return operations_.empty() ? nullptr : &operations_.front(); }

  // How the first one ends; leave(): it waits for the peer.
  void done(std::int64_t result = 0) { events_.operation_done(operations_.pop().id, result); }
  void fail(openssl::FailurePtr failure) { events_.operation_failed(operations_.pop().id, std::move(failure)); }
  void leave() { operations_.pop(); }
  void fail_all(const openssl::FailurePtr& failure);
  // `first_runs`: the first one has begun, whatever its stage says.
  Cancelled withdraw(OperationId id, bool first_runs);

  const std::vector<PeerWait>& waits() const { return waits_; }
  void wait(PeerWait wait) { waits_.push_back(wait); }
  bool waits_for_peer(OperationId id) const;
  // False: it did not wait.
  bool stop_waiting(OperationId id);
  // Those that have ended: ended(wait) is true.
  template <typename Ended>
  void end_waits(Ended ended) {
    std::erase_if(waits_, ended);
  }
  // Nobody will answer any more.
  void peer_closed(const openssl::FailurePtr& failure);

 private:
  Events& events_;
  Fifo<Operation> operations_;
  std::vector<PeerWait> waits_;
};

}  // namespace system_tls::engine
