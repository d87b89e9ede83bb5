#include "binding/hashed_names.h"

#include "binding/core/values.h"
#include "binding/core/wrap.h"
#include "openssl/trust/hashed_names.h"

namespace system_tls::binding {

namespace {

napi_value hashed_names(const Call& call) {
  View pem;
  if (!call.read(0, "pem", pem)) return nullptr;
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t index = 0;
  for (const openssl::HashedName& name : openssl::hashed_names(pem)) {
    napi_value object = nullptr;
    if (napi_create_object(call.env, &object) != napi_ok) return nullptr;
    set_property(call.env, object, "crl", to_js(call.env, name.crl));
    set_property(call.env, object, "hash", to_js(call.env, name.hash));
    set_property(call.env, object, "fingerprint", to_js(call.env, name.fingerprint));
    napi_set_element(call.env, array, index++, object);
  }
  return array;
}

}  // namespace

bool define_hashed_names(napi_env env, napi_value exports) {
  return define_function<hashed_names>(env, exports, "hashedNames");
}

}  // namespace system_tls::binding
