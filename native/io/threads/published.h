// What the environment's thread may know of a connection on an I/O thread without waiting for that thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "engine/negotiated.h"
#include "openssl/library/handles.h"

namespace system_tls::io {

// What the kernel does for a connection, and in words why no more than that.
struct KernelTls {
  bool sends = false;
  bool receives = false;
  std::string reason;
};

// What changes all the time.
struct Gauges {
  bool established = false;
  bool renegotiate_pending = false;
  int key_update_type = SSL_KEY_UPDATE_NONE;
  int shutdown = 0;
  // Bytes of ciphertext that wait to be sent.
  std::size_t out = 0;
  // Bytes of cleartext that a read gets without the network.
  std::size_t readable = 0;
  // SSL_state_string_long(3): static.
  const char* state = "closed";

  static Gauges of(engine::Connection& connection);
};

class Published {
 public:
  // The connection's thread, as the next two.
  void show(const Gauges& gauges);
  void show(engine::Negotiated negotiated, std::optional<KernelTls> kernel_tls);
  void show(openssl::SessionPtr session);

  // Any thread, as all below. Whether all of it has been shown once.
  bool shown() const { return shown_.load(std::memory_order_acquire); }
  // A gauge may be newer than another.
  Gauges gauges() const;
  std::shared_ptr<const engine::Negotiated> negotiated() const;
  // Nothing: the connection was not asked to use it.
  std::optional<KernelTls> kernel_tls() const;
  // Null: there is none.
  openssl::SessionPtr session() const;

 private:
  std::atomic<bool> established_{false};
  std::atomic<bool> renegotiate_pending_{false};
  std::atomic<int> key_update_type_{SSL_KEY_UPDATE_NONE};
  std::atomic<int> shutdown_{0};
  std::atomic<std::size_t> out_{0};
  std::atomic<std::size_t> readable_{0};
  std::atomic<const char*> state_{""};
  std::atomic<bool> shown_{false};

  // Held while pointers are exchanged, no longer.
  mutable std::mutex mutex_;
  std::shared_ptr<const engine::Negotiated> negotiated_;  // null: not shown so far
  std::optional<KernelTls> kernel_tls_;
  openssl::SessionPtr session_;
};

}  // namespace system_tls::io
