// NativeTicketKeyRing of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "openssl/session/ticket_key_ring.h"

namespace system_tls::binding {

class TicketKeyRingHandle {
 public:
  static constexpr const char* kName = "NativeTicketKeyRing";
  static constexpr ClassId kClass = ClassId::TicketKeyRing;

  static std::unique_ptr<TicketKeyRingHandle> construct(const Call& call);
  explicit TicketKeyRingHandle(std::shared_ptr<const openssl::TicketKeyRing> ring) : ring_(std::move(ring)) {}

  const std::shared_ptr<const openssl::TicketKeyRing>& ring() const { return ring_; }

 private:
  const std::shared_ptr<const openssl::TicketKeyRing> ring_;
};

// What a message calls the values that read_ticket_keys() takes.
inline constexpr const char* kTicketKeys = "80 bytes or an instance of NativeTicketKeyRing";
// False: it is neither.
bool read_ticket_keys(napi_env env, napi_value value, std::shared_ptr<const openssl::TicketKeySource>& out);

// False: an exception is pending.
bool define_ticket_key_ring(napi_env env, napi_value exports);

}  // namespace system_tls::binding
