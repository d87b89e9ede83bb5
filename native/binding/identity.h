// NativeIdentity of types/binding.d.ts.
#pragma once

#include <memory>
#include <utility>

#include "binding/core/wrap.h"
#include "openssl/context/identity.h"

namespace system_tls::binding {

class IdentityHandle {
 public:
  static constexpr const char* kName = "NativeIdentity";
  static constexpr ClassId kClass = ClassId::Identity;

  static std::unique_ptr<IdentityHandle> construct(const Call& call);
  explicit IdentityHandle(std::shared_ptr<const openssl::Identity> identity) : identity_(std::move(identity)) {}

  const std::shared_ptr<const openssl::Identity>& identity() const { return identity_; }

 private:
  const std::shared_ptr<const openssl::Identity> identity_;
};

// False: an exception is pending.
bool define_identity(napi_env env, napi_value exports);

}  // namespace system_tls::binding
