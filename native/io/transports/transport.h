// How ciphertext gets in and out of this process.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/wire/byte_queue.h"
#include "engine/wire/enc_source.h"
#include "io/transports/fd.h"
#include "openssl/library/failure.h"

namespace system_tls::io {

using engine::Moved;

class Reactor;

struct Linger {
  std::chrono::milliseconds limit;
  // Does it keep the process running?
  bool ref = true;
};

class Transport {
 public:
  // Closes.
  virtual ~Transport() = default;

  // Takes as much from `out` as goes without waiting.
  virtual Moved send(engine::ByteQueue& out) = 0;
  // Fills `to`; no bytes, no eof, no failure: nothing there now.
  virtual Moved receive(std::span<std::uint8_t> to) = 0;
  // For connections whose records are large: null: there is none, receive() it is.
  virtual engine::EncSource* source() { return nullptr; }
  // May receive() be called without having been told that there is something?
  virtual bool always_readable() const = 0;
  // Tells the channel when there is input, or room for output.
  virtual void watch(bool input, bool output) = 0;
  // Does waiting here keep the process alive?
  virtual void set_ref(bool on) = 0;
  // The connection is over, and what was said last should reach the peer before the end does: the rest of `out` is
  // sent, and the socket closed when the peer has ended too, or after `limit`. Nothing else may be called after this.
  virtual void linger([[maybe_unused]] Reactor& reactor, [[maybe_unused]] const engine::ByteQueue& out,
                      [[maybe_unused]] const Linger& how) {}
  // -1: none.
  virtual int fd() const = 0;
  // Gives the socket up without closing it, for a transport on another reactor. None: it cannot.
  virtual Fd release_fd() { return {}; }
  // Nobody else uses the socket.
  virtual bool sole() const { return false; }
};

// What a transport tells its channel.
class TransportOwner {
 public:
  virtual ~TransportOwner() = default;
  virtual void transport_ready(bool input, bool output) = 0;
};

}  // namespace system_tls::io
