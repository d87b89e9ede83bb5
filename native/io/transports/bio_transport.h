// Two BIOs, one to read from and one to write to; they may be the same.
#pragma once

#include <cerrno>
#include <memory>
#include <utility>

#include "io/transports/bio_endpoint.h"
#include "io/transports/transport.h"

namespace system_tls::io {

class BioTransport : public Transport {
 public:
  BioTransport(std::shared_ptr<BioEndpoint> read, std::shared_ptr<BioEndpoint> write,
               const std::weak_ptr<Runnable>& channel)
      : read_(std::move(read)), write_(std::move(write)) {
    read_->set_reader(channel);
    write_->set_writer(channel);
  }
  ~BioTransport() override {
    read_->set_reader({});
    write_->set_writer({});
    // As with a socket that is closed: the other side sees the end behind the last byte.
    write_->end();
  }

  Moved send(engine::ByteQueue& out) override {
    Moved moved;
    while (!out.empty()) {
      const std::size_t written = write_->write(out.front());
      if (written == 0) break;
      out.consume(written);
      moved.bytes += written;
    }
    if (!out.empty() && (write_->ended() || write_->unread())) moved.failure = openssl::system_failure(EPIPE, "write");
    return moved;
  }

  Moved receive(std::span<std::uint8_t> to) override {
    Moved moved;
    moved.bytes = read_->read(to);
    moved.eof = moved.bytes == 0 && read_->at_end();
    moved.broken = moved.eof && read_->far_broken();
    return moved;
  }

  bool always_readable() const override { return true; }
  // The endpoints wake the channel whenever they were used.
  void watch(bool, bool) override {}
  void set_ref(bool) override {}
  int fd() const override { return -1; }

 protected:
  std::shared_ptr<BioEndpoint> read_;
  std::shared_ptr<BioEndpoint> write_;
};

}  // namespace system_tls::io
