#include "engine/key_updates.h"

namespace system_tls::engine {

namespace {

// Full records of 256 MiB: more than the buffers between two peers hold.
constexpr std::uint32_t kMostExcusedRequests = 16 * 1024;

}  // namespace

// A peer whose limit of received data is reached (jdk.tls.keyLimits in Java, after RFC 8446 5.5) asks with each record
// that it reads, until our answer has come through all that was on its way before it. So a record of data excuses one
// request. A peer that does not read gets no more records, and one that asks more often is counted.
void KeyUpdates::record_sent(bool application_data) {
  keys_used_ = true;
  if (application_data && excused_requests_ < kMostExcusedRequests) ++excused_requests_;
}

// Behind its own record, which went out under the old keys.
void KeyUpdates::sent(bool requests) {
  keys_used_ = false;
  if (requests) ++requests_open_;
  requested_ |= requests;
}

void KeyUpdates::received(bool requests) {
  peer_updated_ = true;
  peer_asked_ |= requests;
  requested_ = false;
  if (!excused(requests) && !too_many()) ++in_a_row_;
}

// RFC 8446 4.6.3: the answer to a request of ours requests nothing, and there is one to each.
bool KeyUpdates::excused(bool requests) {
  std::uint32_t& excuses = requests ? excused_requests_ : requests_open_;
  if (excuses == 0) return false;
  --excuses;
  return true;
}

}  // namespace system_tls::engine
