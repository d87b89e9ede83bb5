// A connected datagram socket (UDP), polled on the reactor's loop: each message sent and received as it is.
#pragma once

#include <memory>
#include <utility>

#include "engine/wire/datagrams.h"
#include "io/reactor/fd_poll.h"
#include "io/reactor/reactor.h"
#include "io/transports/fd.h"
#include "io/transports/transport.h"

namespace system_tls::io {

class DatagramTransport : public Transport, private PollOwner {
 public:
  // Null: `failure` says why, and `fd` is still the caller's.
  static std::unique_ptr<DatagramTransport> open(Reactor& reactor, Fd& fd, TransportOwner& owner,
                                                 std::shared_ptr<engine::Datagrams> datagrams,
                                                 openssl::FailurePtr& failure);

  Moved send(engine::ByteQueue& out) override;
  // One datagram; an empty one says nothing and is left out.
  Moved receive(std::span<std::uint8_t> to) override;
  // So often after the poll said that there is something: one after the other, until none is left.
  bool always_readable() const override { return budget_ != 0; }
  void watch(bool input, bool output) override;
  void set_ref(bool on) override { poll_.set_ref(on); }
  // There is no end that a peer could see.
  int fd() const override { return fd_.get(); }
  Fd release_fd() override {
    poll_.close();
    return std::move(fd_);
  }

 private:
  DatagramTransport(TransportOwner& owner, std::shared_ptr<engine::Datagrams> datagrams)
      : owner_(owner), datagrams_(std::move(datagrams)) {}
  void polled(int status, int events) override;
  int send_one(const engine::ByteQueue& out, std::size_t size) const;

  // Before poll_, so that it is closed after polling has ended.
  Fd fd_;
  FdPoll poll_;
  TransportOwner& owner_;
  std::shared_ptr<engine::Datagrams> datagrams_;
  int budget_ = 0;
};

}  // namespace system_tls::io
