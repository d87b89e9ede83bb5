// KeyUpdates of TLS 1.3 (RFC 8446 4.6.3), counted as the message callback sees them: how many the peer may send, and
// what either side owes the other. Knows no SSL: whoever owns it feeds it, and does what it decides.
//
// Invariant: a KeyUpdate of the peer's counts against the limit unless something of ours called for it.
#pragma once

#include <cstdint>
#include <utility>

namespace system_tls::engine {

class KeyUpdates {
 public:
  // `limit`: in a row, without application data between them, but for those that are excused.
  explicit KeyUpdates(std::uint32_t limit) : limit_(limit) {}

  // What OpenSSL made and read, in that order.
  void record_sent(bool application_data);
  void data_received() {
    if (!too_many()) in_a_row_ = 0;
  }
  void sent(bool requests);
  void received(bool requests);

  // For good: thousands fit into one SSL_read, each with its key derivation, and nothing can interrupt it but a BIO
  // that runs dry.
  bool too_many() const { return in_a_row_ > limit_; }
  // The peer has new keys, or asked for ours, and nobody has taken note of it yet.
  bool peer_updated() const { return peer_updated_; }
  bool take_peer_updated() { return std::exchange(peer_updated_, false); }
  bool take_peer_request() { return std::exchange(peer_asked_, false); }
  // RFC 9846 4.7.3: until a KeyUpdate of the peer has come, there is no second request.
  bool may_request() const { return !requested_; }
  // A request that is out serves for another one too, and new keys that have protected nothing are new enough. A peer
  // that does not read would otherwise find more KeyUpdates in a row than it allows.
  bool serves(bool request) const { return request && requested_ && !keys_used_; }

 private:
  bool excused(bool requests);

  const std::uint32_t limit_;
  std::uint32_t in_a_row_ = 0;          // of the peer's, without what is excused
  std::uint32_t requests_open_ = 0;     // of ours, that the peer's KeyUpdates have not answered yet
  std::uint32_t excused_requests_ = 0;  // of the peer's: see record_sent()
  bool requested_ = false;              // by one of ours, and no KeyUpdate of the peer's has come since
  bool keys_used_ = false;              // records have gone out since our last KeyUpdate
  bool peer_updated_ = false;
  bool peer_asked_ = false;
};

}  // namespace system_tls::engine
