// Two BIOs that carry datagrams: each behind two bytes with its length, the higher one first.
//
// BIO_s_dgram_pair(3), which keeps datagrams apart by itself, came with OpenSSL 3.2.
#pragma once

#include <memory>
#include <utility>

#include "engine/wire/datagrams.h"
#include "io/transports/bio_transport.h"

namespace system_tls::io {

class DatagramBioTransport : public BioTransport {
 public:
  DatagramBioTransport(std::shared_ptr<BioEndpoint> read, std::shared_ptr<BioEndpoint> write,
                       const std::weak_ptr<Runnable>& channel, std::shared_ptr<engine::Datagrams> datagrams)
      : BioTransport(std::move(read), std::move(write), channel), datagrams_(std::move(datagrams)) {}

  Moved send(engine::ByteQueue& out) override;
  // One datagram.
  Moved receive(std::span<std::uint8_t> to) override;

 private:
  void discard(std::size_t count);
  std::shared_ptr<engine::Datagrams> datagrams_;
  // Of the datagram whose length was read, and which has not arrived whole.
  std::size_t expected_ = 0;
};

}  // namespace system_tls::io
