#include "binding/ticket_key_ring.h"

#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "openssl/library/bytes.h"

namespace system_tls::binding {

namespace {

// As lib/context/ticket-key-ring.ts has it; what would divide by zero or take all memory ends here too.
constexpr std::uint32_t kMaxOverlap = 255;

}  // namespace

std::unique_ptr<TicketKeyRingHandle> TicketKeyRingHandle::construct(const Call& call) {
  openssl::SecretBytes secret;
  std::uint32_t period = 0;
  std::uint32_t overlap = 0;
  OptionsReader reader(call.env, call[0], "options");
  reader.read("secret", secret).read("period", period).read("overlap", overlap);
  if (reader.ok() && secret.empty()) reader.reject("secret", "a Buffer that is not empty");
  if (reader.ok() && period == 0) reader.reject("period", "a positive integer");
  if (reader.ok() && overlap > kMaxOverlap) reader.reject("overlap", "an integer of one byte");
  if (!reader.ok()) return nullptr;
  auto [ring, failure] = openssl::TicketKeyRing::create(std::move(secret), period, overlap);
  if (failure == nullptr) return std::make_unique<TicketKeyRingHandle>(std::move(ring));
  throw_failure(call.env, failure);
  return nullptr;
}

bool read_ticket_keys(napi_env env, napi_value value, std::shared_ptr<const openssl::TicketKeySource>& out) {
  if (const auto* handle = unwrap<TicketKeyRingHandle>(env, value)) {
    out = handle->ring();
    return true;
  }
  openssl::SecretBytes bytes;
  if (!from_js(env, value, bytes) || bytes.size() != openssl::TicketKey::kSize) return false;
  out = std::make_shared<const openssl::FixedTicketKeys>(openssl::TicketKey(std::move(bytes)));
  return true;
}

bool define_ticket_key_ring(napi_env env, napi_value exports) {
  return define_class<TicketKeyRingHandle>(env, exports, {});
}

}  // namespace system_tls::binding
