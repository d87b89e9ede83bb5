#include "binding/questions/psk.h"

#include <utility>

namespace system_tls::binding {

namespace {

void read_key(OptionsReader& reader, engine::PresharedKey& key) {
  reader.read("identity", key.identity).read("key", key.key).read("sha384", key.sha384);
}

}  // namespace

void read_preshared_keys(OptionsReader& reader, std::shared_ptr<const engine::PresharedKeys>& keys) {
  if (reader.get("psks") == nullptr) return;
  auto read = std::make_shared<engine::PresharedKeys>();
  reader.objects("psks", [&read](OptionsReader& element) { read_key(element, read->emplace_back()); });
  keys = std::move(read);
}

// NativePskRequest.
napi_value psk_to_js(napi_env env, const engine::Subject& subject) {
  const auto& request = static_cast<const engine::PskSubject&>(subject);
  napi_value object = nullptr;
  napi_value identities = nullptr;
  if (napi_create_object(env, &object) != napi_ok || napi_create_array(env, &identities) != napi_ok) return null(env);
  std::uint32_t index = 0;
  for (const openssl::Bytes& identity : request.identities) {
    napi_set_element(env, identities, index++, to_js(env, identity));
  }
  set_property(env, object, "identities", identities);
  set_property(env, object, "hint", request.hint.empty() ? null(env) : to_js(env, request.hint));
  return object;
}

// A number is 0: there is none.
bool read_psk_answer(const Call& call, std::size_t index, engine::Answer& answer) {
  std::int32_t none = 0;
  if (from_js(call.env, call[index], none)) {
    answer = engine::Answer::of(none);
    return true;
  }
  engine::PresharedKey key;
  OptionsReader reader(call.env, call[index], "answer");
  if (reader.ok()) read_key(reader, key);
  if (!reader.ok()) return false;
  answer.result = [key = std::move(key)](SSL* ssl) { return engine::keep_psk(ssl, key); };
  return true;
}

}  // namespace system_tls::binding
