// DTLS: what a connection shares with the transport under it so that datagrams stay apart.
//
// What OpenSSL writes into its BIO at once is one datagram (RFC 6347 section 4.1.1), and what it reads at once is one
// too. EncSide's queue of bytes knows no bounds, so the sizes of what waits to be sent are kept beside it; of what
// arrived it never holds more than one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/fifo.h"
#include "engine/wire/record_filter.h"

namespace system_tls::engine {

class Datagrams {
 public:
  explicit Datagrams(const SSL* ssl) : filter_(ssl) {}

  // What fits into one datagram on the way to the peer, without the headers of IP and UDP, which take `overhead` bytes.
  void set_path(std::size_t mtu, std::size_t overhead) {
    mtu_ = mtu;
    overhead_ = overhead;
  }

  // For the BIO: BIO_ctrl(3) with the commands of BIO_s_datagram(3) that libssl uses.
  long control(int command, long number);
  void wrote(std::size_t size) { out_.push(size); }
  // Of a datagram that arrived, what OpenSSL may see.
  std::size_t admit(std::span<std::uint8_t> datagram) { return filter_.admit(datagram); }

  // For the transport: the size of the first datagram in the queue, 0 if there is none.
  std::size_t next() { return out_.empty() ? 0 : out_.front(); }
  void sent() { out_.pop(); }
  void clear() { out_ = {}; }

 private:
  // Ethernet's, less the headers of IPv4 and UDP.
  std::size_t mtu_ = 1472;
  std::size_t overhead_ = 28;
  Fifo<std::size_t> out_;
  RecordFilter filter_;
};

}  // namespace system_tls::engine
