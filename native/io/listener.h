// A listening socket: accepts, and hands over descriptors. All of it on the reactor's thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/reactor/fd_poll.h"
#include "io/reactor/reactor.h"
#include "io/transports/socket.h"

namespace system_tls::io {

class Listener : public Resident, private PollOwner, public std::enable_shared_from_this<Listener> {
 public:
  Listener(Reactor& reactor, std::int32_t id) : reactor_(reactor.shared_from_this()), id_(id) { move_in(reactor); }
  ~Listener() override { close(); }

  // Null, or why not.
  openssl::FailurePtr listen(const ListenOptions& options);
  bool listening() const { return static_cast<bool>(fd_); }
  std::optional<Address> address() const { return local_address(fd_.get()); }
  void set_ref(bool on);
  void close() override;

 private:
  void polled(int status, int events) override;
  void adapt_accepts();
  void accept_some();
  void offer(Accepted accepted);
  void failed(int error, const char* call);
  void pause(std::uint64_t milliseconds);

  std::shared_ptr<Reactor> reactor_;
  const std::int32_t id_;
  Fd fd_;
  FdPoll poll_;
  UvHandle<uv_timer_t> pause_;
  std::string path_;  // a Unix socket that this listener made
  bool referenced_ = true;
  ActivityMark activity_;
  int accepts_ = 1;              // in this turn, at the most
  std::uint64_t last_turn_ = 0;  // uv_hrtime()
  int told_ = 0;                 // the error that has been told since accept(2) last gave a connection
};

}  // namespace system_tls::io
