#include "engine/renegotiation.h"

namespace system_tls::engine {

void Renegotiation::begin() {
  own_ = Own::driven;
  client_hello_ = finished_sent_ = finished_received_ = false;
}

void Renegotiation::hello_request_sent(bool repeats) {
  requests_open_ = repeats ? 1 : requests_open_ + 1;
  if (driven()) own_ = Own::none;
}

void Renegotiation::client_hello(bool sent, Clock::time_point now) {
  client_hello_ = true;
  finished_sent_ = finished_received_ = false;
  by_peer_ = sent ? !driven() : !requested();
  if (sent) return;
  if (by_peer_) {
    count_peers(now);
  } else {
    --requests_open_;
  }
}

void Renegotiation::count_peers(Clock::time_point now) {
  refused_ |= forbidden_;
  if (too_many()) return;
  if (peer_count_ == 0 || now - window_start_ > window_) {
    window_start_ = now;
    peer_count_ = 0;
  }
  ++peer_count_;
}

void Renegotiation::completed() {
  client_hello_ = false;
  if (driven()) own_ = Own::none;
  ++count_;
}

}  // namespace system_tls::engine
