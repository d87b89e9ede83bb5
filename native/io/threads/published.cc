#include "io/threads/published.h"

#include <utility>

#include "engine/connection.h"

namespace system_tls::io {

Gauges Gauges::of(engine::Connection& connection) {
  const SSL* ssl = connection.ssl();
  Gauges gauges;
  gauges.established = connection.established();
  gauges.renegotiate_pending = SSL_renegotiate_pending(ssl) != 0;
  gauges.key_update_type = SSL_get_key_update_type(ssl);
  gauges.shutdown = SSL_get_shutdown(ssl);
  gauges.out = connection.enc().out.size();
  gauges.readable = connection.readable();
  gauges.state = SSL_state_string_long(ssl);
  return gauges;
}

void Published::show(const Gauges& gauges) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  established_.store(gauges.established, kRelaxed);
  renegotiate_pending_.store(gauges.renegotiate_pending, kRelaxed);
  key_update_type_.store(gauges.key_update_type, kRelaxed);
  shutdown_.store(gauges.shutdown, kRelaxed);
  out_.store(gauges.out, kRelaxed);
  readable_.store(gauges.readable, kRelaxed);
  state_.store(gauges.state, kRelaxed);
  shown_.store(true, std::memory_order_release);
}

Gauges Published::gauges() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Gauges gauges;
  gauges.established = established_.load(kRelaxed);
  gauges.renegotiate_pending = renegotiate_pending_.load(kRelaxed);
  gauges.key_update_type = key_update_type_.load(kRelaxed);
  gauges.shutdown = shutdown_.load(kRelaxed);
  gauges.out = out_.load(kRelaxed);
  gauges.readable = readable_.load(kRelaxed);
  gauges.state = state_.load(kRelaxed);
  return gauges;
}

// What was there before is freed behind the lock.
void Published::show(engine::Negotiated negotiated, std::optional<KernelTls> kernel_tls) {
  auto next = std::make_shared<const engine::Negotiated>(std::move(negotiated));
  const std::lock_guard<std::mutex> lock(mutex_);
  std::swap(negotiated_, next);
  std::swap(kernel_tls_, kernel_tls);
}

void Published::show(openssl::SessionPtr session) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::swap(session_, session);
}

std::shared_ptr<const engine::Negotiated> Published::negotiated() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return negotiated_ ? negotiated_ : std::make_shared<const engine::Negotiated>();
}

std::optional<KernelTls> Published::kernel_tls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return kernel_tls_;
}

openssl::SessionPtr Published::session() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (session_ != nullptr) SSL_SESSION_up_ref(session_.get());
  return openssl::SessionPtr(session_.get());
}

}  // namespace system_tls::io
