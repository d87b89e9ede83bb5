// NativeContext of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "openssl/context/context.h"

namespace system_tls::binding {

class ContextHandle {
 public:
  static constexpr const char* kName = "NativeContext";
  static constexpr ClassId kClass = ClassId::Context;

  // Measured: an SSL_CTX with a certificate and its own empty store.
  static constexpr std::int64_t kExternalMemory = 16 * 1024;

  static std::unique_ptr<ContextHandle> construct(const Call& call);

  explicit ContextHandle(std::shared_ptr<const openssl::Context> context) : context_(std::move(context)) {}

  const std::shared_ptr<const openssl::Context>& context() const { return context_; }

  napi_value ciphers(const Call& call);
  napi_value security_level(const Call& call);
  napi_value ticket_keys(const Call& call);
  napi_value set_ticket_keys(const Call& call);
  napi_value keep_tickets(const Call& call);
  napi_value certificate(const Call& call);

 private:
  std::shared_ptr<const openssl::Context> context_;
};

// False: an exception is pending.
bool define_context(napi_env env, napi_value exports);

}  // namespace system_tls::binding
