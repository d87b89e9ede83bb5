#include "engine/ending.h"

#include <openssl/ssl3.h>

#include <algorithm>

namespace system_tls::engine {

void Ending::end_sending(const openssl::FailurePtr& failure) {
  if (sending_ != Sending::open) return;
  sending_ = Sending::ended;
  send_failure_ = failure;
}

// Tickets that nobody wants and a goodbye that nobody hears are no loss.
bool Ending::break_output(const openssl::FailurePtr& failure, std::size_t unsent, bool close_notify_sent) {
  const bool loses = unsent != 0 && !only_tickets(unsent) && !(close_notify_sent && only_goodbye(unsent));
  const bool first = !output_broken();
  end_sending(failure);
  sending_ = std::max(sending_, loses ? Sending::lost : Sending::broken);
  return first;
}

void Ending::alert_seen(const openssl::Alert& alert) {
  last_alert_ = alert;
  if (alert.received && alert.description == SSL3_AD_CLOSE_NOTIFY) close_notify_received_ = true;
}

bool Ending::alert_is_fatal() const { return last_alert_.level == SSL3_AL_FATAL; }

}  // namespace system_tls::engine
