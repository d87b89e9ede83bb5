// How a connection ends: its sending half by itself, or both at once. Counts and decides, and knows no SSL.
//
// Invariant: the sending half only goes down the list of Sending, and the first failure of each kind is kept. The
// receiving half ends by Connection's Phase.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "openssl/library/failure.h"

namespace system_tls::engine {

class Ending {
 public:
  // Both halves are over.
  bool dead() const { return failure_ != nullptr; }
  const openssl::FailurePtr& failure() const { return failure_; }
  void die(openssl::FailurePtr failure) { failure_ = std::move(failure); }
  // What was received is delivered before a failure is told. True: it was not told before.
  bool tell() { return !std::exchange(told_, true); }
  bool told() const { return told_; }

  // Why nothing more can be written; null: it can.
  const openssl::FailurePtr& send_failure() const { return send_failure_; }
  // What OpenSSL has made goes out, and it makes nothing more.
  void end_sending(const openssl::FailurePtr& failure);
  // The transport takes nothing more, and so many bytes have not gone out. True: it did before.
  bool break_output(const openssl::FailurePtr& failure, std::size_t unsent, bool close_notify_sent);
  bool output_broken() const { return sending_ >= Sending::broken; }
  // More than our close_notify or our tickets went with it.
  bool output_lost() const { return sending_ == Sending::lost; }

  // What the peer does not wait for: the session tickets of a TLS 1.3 handshake, and our goodbye.
  void tickets_made(std::size_t size) { tickets_size_ = size; }
  void data_made() { tickets_size_ = 0; }
  void close_notify_made(std::size_t size) { close_notify_size_ = size; }
  bool only_tickets(std::size_t unsent) const { return tickets_size_ != 0 && unsent == tickets_size_; }
  // Once close_notify is sent.
  bool only_goodbye(std::size_t unsent) const { return unsent <= close_notify_size_ + tickets_size_; }

  // Of both sides.
  void alert_seen(const openssl::Alert& alert);
  const openssl::Alert& last_alert() const { return last_alert_; }
  // A warning (close_notify, say) explains no failure.
  bool alert_is_fatal() const;
  bool close_notify_received() const { return close_notify_received_; }

 private:
  enum class Sending : std::uint8_t { open, ended, broken, lost };

  openssl::FailurePtr failure_;
  openssl::FailurePtr send_failure_;
  openssl::Alert last_alert_;
  std::size_t close_notify_size_ = 0;
  std::size_t tickets_size_ = 0;
  Sending sending_ = Sending::open;
  bool told_ = false;
  bool close_notify_received_ = false;
};

}  // namespace system_tls::engine
