#include "engine/operations/queue.h"

#include <algorithm>
#include <utility>

namespace system_tls::engine {

void OperationQueue::fail_all(const openssl::FailurePtr& failure) {
  while (!operations_.empty()) fail(failure);
  for (const PeerWait& wait : std::exchange(waits_, {})) events_.operation_failed(wait.id, failure);
}

// Data of which nothing has gone out can be taken back at any time.
Cancelled OperationQueue::withdraw(OperationId id, bool first_runs) {
  const Operation* operation = operations_.find([id](const Operation& each) { return each.id == id; });
  if (operation == nullptr) return Cancelled::unknown;
  const bool begun = operation == &operations_.front() && (first_runs || operation->stage == Operation::Stage::running);
  if (begun && !operation->is_untouched_data()) return Cancelled::under_way;
  operations_.erase(operation);
  return Cancelled::withdrawn;
}

bool OperationQueue::waits_for_peer(OperationId id) const {
  return std::ranges::any_of(waits_, [id](const PeerWait& wait) { return wait.id == id; });
}

bool OperationQueue::stop_waiting(OperationId id) {
  return std::erase_if(waits_, [id](const PeerWait& wait) { return wait.id == id; }) != 0;
}

// A goodbye has what it waited for. A key update that is still being sent succeeds, and learns of it then.
void OperationQueue::peer_closed(const openssl::FailurePtr& failure) {
  for (const PeerWait& wait : std::exchange(waits_, {})) {
    const bool being_sent = !operations_.empty() && operations_.front().id == wait.id;
    if (wait.kind == PeerWait::Kind::close_notify) {
      events_.operation_done(wait.id, 0);
    } else if (wait.kind != PeerWait::Kind::key_update || !being_sent) {
      events_.operation_failed(wait.id, failure);
    }
  }
}

}  // namespace system_tls::engine
