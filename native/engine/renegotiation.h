// Handshakes of TLS 1.2 after the first one, known from their messages. OpenSSL's completion signals lie: on a server
// SSL_do_handshake returns 1 as soon as the HelloRequest is sent, HANDSHAKE_DONE fires on refused handshakes too, and
// SSL_total_renegotiations counts starts. Knows no SSL: whoever owns it feeds it, and does what it decides.
//
// Invariant: one that is ours is scheduled, then driven, and over when the client's is complete or the server's request
// is out. What follows a request of ours is ours too; any other is the peer's, and counts against the limit on a
// server.
#pragma once

#include <chrono>
#include <cstdint>

namespace system_tls::engine {

class Renegotiation {
 public:
  using Clock = std::chrono::steady_clock;

  // `limit`: of the peer's, in a window of time.
  Renegotiation(std::uint32_t limit, Clock::duration window) : limit_(limit), window_(window) {}

  // SSL_renegotiate alone: the next I/O drives it.
  void schedule() { own_ = Own::scheduled; }
  bool scheduled() const { return own_ == Own::scheduled; }
  void begin();
  bool driven() const { return own_ == Own::driven; }

  // Messages, but for those of the first handshake's ClientHello. `repeats`: with DTLS it may be the same one again.
  void hello_request_sent(bool repeats);
  void client_hello(bool sent, Clock::time_point now);
  void finished(bool sent) { (sent ? finished_sent_ : finished_received_) = true; }

  // All its messages have been seen.
  bool seen_whole() const { return client_hello_ && finished_sent_ && finished_received_; }
  void completed();
  std::uint32_t count() const { return count_; }
  bool by_peer() const { return by_peer_; }
  // HelloRequests that no ClientHello has answered. A client may answer an old one late.
  bool requested() const { return requests_open_ != 0; }
  // The peer's next one is too many.
  void forbid() { forbidden_ = true; }
  // For good.
  bool too_many() const { return refused_ || peer_count_ > limit_; }

 private:
  enum class Own : std::uint8_t { none, scheduled, driven };

  void count_peers(Clock::time_point now);

  const std::uint32_t limit_;
  const Clock::duration window_;
  Clock::time_point window_start_{};
  std::uint32_t peer_count_ = 0;  // in this window
  std::uint32_t count_ = 0;
  std::uint32_t requests_open_ = 0;
  Own own_ = Own::none;
  bool client_hello_ = false;
  bool finished_sent_ = false;
  bool finished_received_ = false;
  bool by_peer_ = false;
  bool forbidden_ = false;
  bool refused_ = false;
};

}  // namespace system_tls::engine
