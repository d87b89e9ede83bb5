#include "binding/identity.h"

#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "binding/credentials.h"

namespace system_tls::binding {

std::unique_ptr<IdentityHandle> IdentityHandle::construct(const Call& call) {
  openssl::Credentials credentials;
  OptionsReader reader(call.env, call[0], "credentials");
  read_credentials(reader, credentials);
  if (!reader.ok()) return nullptr;
  auto [identity, failure] = openssl::read_identity(credentials);
  if (failure != nullptr) {
    throw_failure(call.env, failure);
    return nullptr;
  }
  return std::make_unique<IdentityHandle>(std::move(identity));
}

bool define_identity(napi_env env, napi_value exports) { return define_class<IdentityHandle>(env, exports, {}); }

}  // namespace system_tls::binding
