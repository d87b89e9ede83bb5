// A stream socket, polled on the reactor's loop.
#pragma once

#include <memory>
#include <utility>

#include "io/reactor/fd_poll.h"
#include "io/reactor/reactor.h"
#include "io/transports/fd.h"
#include "io/transports/transport.h"

namespace system_tls::io {

class SocketTransport : public Transport, private engine::EncSource, private PollOwner {
 public:
  // `sole`: nobody else uses the socket, so that its ends may be closed one by one. Null: `failure` says why, and `fd`
  // is still the caller's.
  static std::unique_ptr<SocketTransport> open(Reactor& reactor, Fd& fd, bool sole, TransportOwner& owner,
                                               openssl::FailurePtr& failure);

  Moved send(engine::ByteQueue& out) override { return send_some(out, out.size()); }
  Moved receive(std::span<std::uint8_t> to) override;
  engine::EncSource* source() override { return this; }
  bool always_readable() const override { return ended_; }
  void watch(bool input, bool output) override;
  void set_ref(bool on) override { poll_.set_ref(on); }
  void linger(Reactor& reactor, const engine::ByteQueue& out, const Linger& how) override;
  int fd() const override { return fd_.get(); }
  Fd release_fd() override {
    poll_.close();
    return std::move(fd_);
  }
  bool sole() const override { return sole_; }

 protected:
  SocketTransport(TransportOwner& owner, bool sole) : owner_(owner), sole_(sole) {}
  // Takes `fd` over and polls it; false: `failure` says why, and `fd` is still the caller's.
  bool start(Reactor& reactor, Fd& fd, openssl::FailurePtr& failure);
  // As send(), but at most so many bytes.
  Moved send_some(engine::ByteQueue& out, std::size_t most);

 private:
  // engine::EncSource
  Moved draw(std::span<std::uint8_t> to, std::span<std::uint8_t> ahead) override;
  void polled(int status, int events) override;
  void on_poll_error();

  // Before poll_, so that it is closed after polling has ended.
  Fd fd_;
  FdPoll poll_;
  TransportOwner& owner_;
  const bool sole_;
  int wanted_ = 0;
  // Poll has told an error: the kernel has all that will ever come, and takes nothing.
  bool ended_ = false;
};

}  // namespace system_tls::io
