#include "binding/credentials.h"

#include <string>
#include <utility>

#include "binding/core/wrap.h"
#include "openssl/context/identity.h"

namespace system_tls::binding {

namespace {

void read_sealed(OptionsReader& reader, const char* property, std::vector<openssl::SealedInput>& out) {
  reader.objects(property, [&out](OptionsReader& element) {
    openssl::SealedInput input;
    element.read("name", input.name).read("data", input.data).read("passphrase", input.passphrase);
    out.push_back(std::move(input));
  });
}

void read_stored(OptionsReader& reader, const char* property, std::vector<openssl::StoreInput>& out) {
  reader.objects(property, [&out](OptionsReader& element) {
    openssl::StoreInput input;
    element.read("name", input.name).read("uri", input.uri).read("passphrase", input.passphrase);
    out.push_back(std::move(input));
  });
}

napi_value locked_inputs(const Call& call) {
  openssl::Credentials credentials;
  OptionsReader reader(call.env, call[0], "credentials");
  read_credentials(reader, credentials);
  if (!reader.ok()) return nullptr;
  napi_value array = nullptr;
  napi_create_array(call.env, &array);
  std::uint32_t index = 0;
  for (const std::string& name : openssl::locked_inputs(credentials)) {
    napi_set_element(call.env, array, index++, to_js(call.env, name));
  }
  return array;
}

}  // namespace

void read_named(OptionsReader& reader, const char* property, std::vector<openssl::NamedInput>& out) {
  reader.objects(property, [&out](OptionsReader& element) {
    openssl::NamedInput input;
    element.read("name", input.name).read("data", input.data);
    out.push_back(std::move(input));
  });
}

void read_credentials(OptionsReader& reader, openssl::Credentials& out) {
  read_named(reader, "cert", out.cert);
  read_sealed(reader, "key", out.key);
  read_sealed(reader, "pfx", out.pfx);
  read_stored(reader, "certUri", out.cert_uri);
  read_stored(reader, "keyUri", out.key_uri);
}

bool define_credentials(napi_env env, napi_value exports) {
  return define_function<locked_inputs>(env, exports, "lockedInputs");
}

}  // namespace system_tls::binding
